"""The kernels, compiled for the CPU once per session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.plugins.kernels.host_kernels import HostKernels
from tests.plugins.native import PLAIN, HostBuild, build_host

LIBRARY_VARIABLE = "SEGPP_HOST_LIBRARY"
"""Names a library to test instead of this tree's: benchmarks/toolchain/mutations.py plants bugs in it."""


def host_library(how: HostBuild = PLAIN) -> Path:
    """Return the library under test."""
    if given := os.environ.get(LIBRARY_VARIABLE):
        return Path(given)
    return build_host("segpp_host", how)


@pytest.fixture(scope="session")
def kernels() -> HostKernels:
    return HostKernels(host_library())
