from __future__ import annotations

import sys
from types import ModuleType

import pytest

from segpp_deploy.hardware import nvidia_gpu
from tests.support.fake_cuda import FakeCuda


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a GPU, wherever the tests run."""
    monkeypatch.setattr(nvidia_gpu, "has_nvidia_gpu", lambda: False)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """A GPU of compute capability 8.9 in host memory."""
    fake = FakeCuda()
    monkeypatch.setattr(nvidia_gpu, "has_nvidia_gpu", lambda: True)
    monkeypatch.setitem(sys.modules, "cuda", ModuleType("cuda"))
    monkeypatch.setitem(sys.modules, "cuda.bindings", ModuleType("cuda.bindings"))
    monkeypatch.setitem(sys.modules, nvidia_gpu.CUDA_MODULE, fake)  # type: ignore[arg-type]
    return fake
