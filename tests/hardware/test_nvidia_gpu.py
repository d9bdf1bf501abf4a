from __future__ import annotations

import sys
from pathlib import Path

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.hardware import nvidia_gpu
from segpp_deploy.hardware.nvidia_gpu import NvidiaGpu, find_gpu, import_cuda, require_gpu
from tests.runtimes.conftest import cuda
from tests.support.fake_cuda import FakeCuda
from tests.support.requirements import require

__all__ = ["cuda"]


def test_the_gpu(cuda: FakeCuda) -> None:
    assert require_gpu() == find_gpu() == NvidiaGpu("a GPU in host memory", "8.9", "13.2")


def test_no_gpu_needs_no_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia_gpu, "has_nvidia_gpu", lambda: False)
    monkeypatch.setattr(nvidia_gpu, "import_cuda", lambda: pytest.fail("imported"))
    assert find_gpu() is None
    with pytest.raises(SegppError, match="No NVIDIA GPU was found"):
        require_gpu()


@pytest.mark.skipif(sys.platform != "linux", reason="device files")
@pytest.mark.parametrize(("name", "expected"), [("nvidia0", True), ("nvidiactl", False), ("nvhost-gpu", True)])
def test_gpu_device_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, expected: bool) -> None:
    monkeypatch.setattr(nvidia_gpu, "_DEVICES", tmp_path)
    assert not nvidia_gpu.has_nvidia_gpu()
    (tmp_path / name).touch()
    assert nvidia_gpu.has_nvidia_gpu() is expected


def test_missing_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia_gpu, "has_nvidia_gpu", lambda: True)
    monkeypatch.setitem(sys.modules, nvidia_gpu.CUDA_MODULE, None)
    with pytest.raises(SegppError, match="bindings of CUDA cannot be loaded") as caught:
        require_gpu()
    assert caught.value.fix.startswith("pip install 'cuda-bindings'")


def test_the_real_bindings_have_every_call() -> None:
    """They import without a GPU; the fake stands for nothing that they lack."""
    real = require("cuda_bindings")
    assert import_cuda() is real
    calls = [name for name in vars(FakeCuda) if name.startswith("cuda")]
    assert len(calls) > 20
    assert not [name for name in calls if not hasattr(real, name)]
    for kind in ("cudaMemcpyKind", "cudaStreamCaptureMode", "cudaDeviceAttr"):
        assert not [name for name in vars(getattr(FakeCuda, kind)) if not hasattr(getattr(real, kind), name)]
    assert hasattr(real.cudaError_t, "cudaErrorMemoryAllocation")
