from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.tensorrt import plugins
from segpp_deploy.runtimes.tensorrt.loader import load_engine
from tests.runtimes.tensorrt.fake_tensorrt import FakeTensorRt, wrap
from tests.support.fake_cuda import Error, FakeCuda


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    path = tmp_path / "a.engine"
    path.write_bytes(b"engine")
    return path


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A plugin library for compute capability 8.9."""
    record = SimpleNamespace(sha256="a" * 64, tensorrt_version="10.14")
    found = SimpleNamespace(path=Path("libsegpp_plugins.so"), record=record, asked=[])
    found.require_runs_on = found.asked.append
    monkeypatch.setattr(plugins, "find_plugin_library", lambda: found)
    monkeypatch.setattr(plugins, "_LOADED", set())
    return found


def test_what_an_engine_takes_and_gives(cuda: FakeCuda, engine: Path) -> None:
    fixed = load_engine(wrap(FakeTensorRt(cuda)), engine, needs_plugins=False)
    assert (str(fixed.input), str(*fixed.outputs)) == ("image uint8 [1, 64, 96, 3]", "labels uint8 [1, 64, 96]")
    assert fixed.max_batch == 1
    dynamic = load_engine(wrap(FakeTensorRt(cuda, batch=-1, max_batch=5)), engine, needs_plugins=False)
    assert (str(dynamic.input), dynamic.max_batch) == ("image uint8 [B, 64, 96, 3]", 5)


def test_a_file_that_the_library_refuses(cuda: FakeCuda, engine: Path) -> None:
    engine.write_bytes(b"garbage")
    with pytest.raises(SegppError, match=r"TensorRT 11\.4\.0 cannot load .*: the magic tag does not match") as caught:
        load_engine(wrap(FakeTensorRt(cuda)), engine, needs_plugins=False)
    assert caught.value.fix.endswith("segpp-deploy build-engine MODEL.onnx -o MODEL.engine")


def test_an_engine_in_memory(cuda: FakeCuda, engine: Path) -> None:
    loaded = load_engine(wrap(FakeTensorRt(cuda)), engine.read_bytes(), needs_plugins=False)
    assert str(*loaded.outputs) == "labels uint8 [1, 64, 96]"
    with pytest.raises(SegppError, match=r"TensorRT 11\.4\.0 cannot load the graph: the magic tag does not match"):
        load_engine(wrap(FakeTensorRt(cuda)), b"garbage", needs_plugins=False)


def test_the_librarys_own_verdict_comes_first(cuda: FakeCuda, engine: Path) -> None:
    api = FakeTensorRt(cuda)
    api.diagnostics = 3
    with pytest.raises(SegppError, match=r"cannot use .* here: version mismatch, unsupported cc"):
        load_engine(wrap(api), engine, needs_plugins=False)
    api.diagnostics = 0
    assert load_engine(wrap(api), engine, needs_plugins=False).engine


@pytest.mark.parametrize(
    ("count", "complaint"),
    [((Error.cudaErrorInsufficientDriver, None), "GPU: driver too old"), ((Error.cudaSuccess, 0), "it shows none")],
)
def test_a_gpu_that_cuda_cannot_use(
    cuda: FakeCuda, engine: Path, count: tuple[Error, int | None], complaint: str
) -> None:
    cuda.device_count = count
    with pytest.raises(SegppError, match=complaint) as caught:
        load_engine(wrap(FakeTensorRt(cuda)), engine, needs_plugins=False)
    assert "CUDA 13.5" in caught.value.expected
    assert "cuda-bindings<13" in caught.value.fix


def test_plugins_are_loaded_once_and_only_where_needed(cuda: FakeCuda, engine: Path, library: SimpleNamespace) -> None:
    api = FakeTensorRt(cuda)
    load_engine(wrap(api), engine, needs_plugins=False)
    assert api.registry.loaded == []
    for _ in range(2):
        load_engine(wrap(api), engine, needs_plugins=True)
    assert api.registry.loaded == ["libsegpp_plugins.so"]
    assert library.asked == ["8.9", "8.9"]


def test_a_plugin_library_that_is_refused(cuda: FakeCuda, engine: Path, library: SimpleNamespace) -> None:
    api = FakeTensorRt(cuda)
    api.registry.answer = None
    with pytest.raises(SegppError, match=r"cannot load the plugin library .* headers of 10\.14") as caught:
        load_engine(wrap(api), engine, needs_plugins=True)
    assert caught.value.fix == "segpp-deploy plugins build"


def test_tensorrt_rtx_has_no_plugins(cuda: FakeCuda, engine: Path, library: SimpleNamespace) -> None:
    trt = wrap(FakeTensorRt(cuda), TargetName.TENSORRT_RTX)
    assert plugins.plugin_hash(trt) is None
    with pytest.raises(SegppError, match="TensorRT-RTX runs no plugins") as caught:
        load_engine(trt, engine, needs_plugins=True)
    assert caught.value.fix == "segpp-deploy export MODEL --lowering portable -o MODEL.onnx"


def test_the_hash_of_the_plugin_library(
    cuda: FakeCuda, library: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    trt = wrap(FakeTensorRt(cuda))
    assert plugins.plugin_hash(trt) == "a" * 64

    def find_none() -> None:
        raise SegppError("not built")

    monkeypatch.setattr(plugins, "find_plugin_library", find_none)
    assert plugins.plugin_hash(trt) is None
