"""The driver, compiled once, with the host build of the plugins."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.conformance.driver import Driver
from tests.plugins.conformance.nvidia import NvidiaFiles, require_nvidia_files
from tests.plugins.native import HostBuild, build_host


@pytest.fixture(scope="session")
def nvidia() -> NvidiaFiles:
    """TensorRT's headers and TensorRT-RTX's library."""
    return require_nvidia_files()


@pytest.fixture(scope="session")
def plugins_library(nvidia: NvidiaFiles) -> Path:
    """The plugin library with the kernels compiled for the CPU."""
    return build_host("segpp_plugins_host", HostBuild(tensorrt_include=nvidia.include_dir))


@pytest.fixture(scope="session")
def driver_program(nvidia: NvidiaFiles) -> Path:
    """The compiled driver."""
    return build_host("conformance_driver", HostBuild(tensorrt_include=nvidia.include_dir))


@pytest.fixture
def driver(driver_program: Path, nvidia: NvidiaFiles, plugins_library: Path, tmp_path: Path) -> Driver:
    """The driver on the real registry."""
    return Driver(driver_program, nvidia.library, plugins_library, tmp_path)
