"""The driver, compiled once, with the host build of the plugins."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.conformance.driver import Driver
from tests.plugins.conformance.nvidia import require_nvidia_library
from tests.plugins.native import build_host


@pytest.fixture(scope="session")
def nvidia_library() -> Path:
    """TensorRT-RTX's library; TensorRT's headers are here as well."""
    return require_nvidia_library()


@pytest.fixture(scope="session")
def plugins_library(nvidia_library: Path) -> Path:
    """The plugin library with the kernels compiled for the CPU."""
    return build_host("segpp_plugins_host")


@pytest.fixture(scope="session")
def driver_program(nvidia_library: Path) -> Path:
    """The compiled driver."""
    return build_host("conformance_driver")


@pytest.fixture
def driver(driver_program: Path, nvidia_library: Path, plugins_library: Path, tmp_path: Path) -> Driver:
    """The driver on the real registry."""
    return Driver(driver_program, nvidia_library, plugins_library, tmp_path)
