from __future__ import annotations

import sys

import pytest

from benchmarks.toolchain.kernel_compilation import find_pip_toolkit
from segpp_deploy.plugin_library.cuda_toolkit import CudaToolkit


@pytest.fixture(scope="session")
def toolkit() -> CudaToolkit:
    """pip's CUDA, which the extra `plugins` installs: the same compiler on every machine."""
    if sys.platform != "linux":
        pytest.skip("pip has nvcc for Linux only")
    found = find_pip_toolkit()
    assert found is not None, "make test installs it: pip install -e '.[plugins,dev]'"
    return found
