from __future__ import annotations

import pytest

from benchmarks.toolchain.kernel_compilation import find_pip_toolkit
from segpp_deploy.plugin_library.cuda_toolkit import CudaToolkit
from tests.support.requirements import skip_or_fail


@pytest.fixture(scope="session")
def toolkit() -> CudaToolkit:
    """pip's CUDA, which the extra `plugins` installs: the same compiler on every machine."""
    found = find_pip_toolkit()
    if found is None:
        skip_or_fail("cuda_compilers", "no nvcc of pip, which has it for Linux only: pip install -e '.[plugins,dev]'")
    return found
