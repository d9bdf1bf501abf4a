"""Target `tensorrt`, whose module nothing here can install: TensorRT-RTX stands in for it, as their API is the same.

So its own path from the graph to the file is what runs, except for what only a GPU can do.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from segpp_deploy.config import Lowering, OutputKind
from segpp_deploy.engine.open import verify_engine
from segpp_deploy.errors import SegppError
from segpp_deploy.runtimes.builder_options import BuilderOptions
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.target import CompiledEngine, EngineSettings, RuntimeFacts
from segpp_deploy.runtimes.tensorrt import plugins, session, timing_cache
from segpp_deploy.runtimes.tensorrt import target as target_module
from segpp_deploy.runtimes.tensorrt.rtx import TensorRtRtxTarget
from segpp_deploy.runtimes.tensorrt.runner import EngineRunner
from segpp_deploy.runtimes.tensorrt.target import TensorRtTarget
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.result import BuildResult
from segpp_deploy.workflows.build_engine.run import run_build
from tests.support.fake_cuda import FakeCuda
from tests.support.requirements import require
from tests.support.tensorrt_graphs import write_graph
from tests.support.tiny_graphs import PLUGIN_BODY, tiny_metadata, write_tiny

rtx = require("tensorrt_rtx")
standin = SimpleNamespace(**{**vars(rtx), "__version__": "10.16.0"})
pytestmark = pytest.mark.filterwarnings("ignore:Use Deprecated")  # RTX's timing cache does nothing


@pytest.fixture(autouse=True)
def tensorrt(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT on a GPU that cannot run engines."""
    monkeypatch.setitem(sys.modules, "tensorrt", standin)  # type: ignore[arg-type]
    monkeypatch.setattr(session, "load_engine", lambda *_, **__: None)
    monkeypatch.setattr(session, "_require_contract", lambda *_: None)
    monkeypatch.setattr(session, "EngineRunner", FakeRunner)


class FakeRunner:
    def __init__(self, *_: Any) -> None:
        self.layer_times: list[Any] = []
        self.is_closed = False

    def run(self, image: Any) -> Any:
        return [np.zeros((len(image), 3, 16, 24), np.float32)]

    def close(self) -> None:
        self.is_closed = True


def build(source: Path, **settings: Any) -> BuildResult:
    options = BuildOptions(TargetName.TENSORRT, builder=BuilderOptions(**settings))
    return run_build(source, source.with_suffix(".engine"), options)


def test_the_engine_is_for_the_gpu_that_is_here(tmp_path: Path) -> None:
    result = build(write_graph(tmp_path / "a.onnx"))
    runtime = result.manifest.runtime
    assert (runtime.name, runtime.compute_capabilities, runtime.driver) == ("tensorrt", ("8.9",), "13.2")
    assert result.manifest.tried
    assert result.manifest.layer_types == {"convolution": {"fp32": 1}}
    assert verify_engine(result.path) == result.manifest


def test_without_a_gpu_nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segpp_deploy.hardware.nvidia_gpu.has_nvidia_gpu", lambda: False)
    with pytest.raises(SegppError, match="No NVIDIA GPU was found"):
        build(write_graph(tmp_path / "a.onnx"))


def test_it_builds_for_no_other_gpu(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="--compute-capability means nothing to the target tensorrt"):
        build(write_graph(tmp_path / "a.onnx"), compute_capabilities=("8.9",))


def test_plugin_graphs_need_the_plugin_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_none() -> None:
        raise SegppError("The TensorRT plugins were not built yet.", "a library.", "segpp-deploy plugins build")

    monkeypatch.setattr(plugins, "find_plugin_library", find_none)
    source = write_tiny(tmp_path / "a.onnx", tiny_metadata(lowering=Lowering.PLUGIN), PLUGIN_BODY)
    with pytest.raises(SegppError, match="plugins were not built yet") as caught:
        build(source)
    assert caught.value.fix == "segpp-deploy plugins build"


def test_the_plugin_library_is_recorded_where_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    library = SimpleNamespace(record=SimpleNamespace(sha256="a" * 64))
    monkeypatch.setattr(plugins, "find_plugin_library", lambda: library)
    monkeypatch.setattr(target_module, "load_plugins", lambda trt, capability: loaded.append(capability))
    metadata = tiny_metadata(OutputKind.LOGITS, lowering=Lowering.PLUGIN)
    with_plugins = build(write_tiny(tmp_path / "a.onnx", metadata))
    assert with_plugins.manifest.runtime.plugin_sha256 == "a" * 64
    assert loaded == ["8.9"]
    portable = build(write_graph(tmp_path / "b.onnx"))
    assert portable.manifest.runtime.plugin_sha256 is None
    assert loaded == ["8.9"]


def test_the_timing_cache_is_kept(tmp_path: Path) -> None:
    """Reading one back takes a GPU in the stand-in; with fakes, that is the test after the next."""
    source, cache = write_graph(tmp_path / "a.onnx"), tmp_path / "caches" / "times.cache"
    result = build(source, timing_cache=cache)
    assert cache.read_bytes()
    assert f"--timing-cache {cache}" in result.manifest.rebuild_command(result.path)


@pytest.mark.parametrize("content", [b"no cache at all", b"x" * 4096])
def test_a_foreign_timing_cache_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    cache = tmp_path / "times.cache"
    cache.write_bytes(content)
    with pytest.raises(SegppError, match=r"times\.cache is no timing cache that TensorRT .* can use") as caught:
        build(write_graph(tmp_path / "a.onnx"), timing_cache=cache)
    assert f"rm {cache}" in caught.value.fix
    assert cache.read_bytes() == content
    assert not (tmp_path / "a.engine").exists()


def test_a_timing_cache_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SegppError, match=r"timing cache .* cannot be opened"):
        build(write_graph(tmp_path / "a.onnx"), timing_cache=tmp_path / "file" / "times.cache")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SegppError, match=r"timing cache .* cannot be opened"):
        build(write_graph(tmp_path / "b.onnx"), timing_cache=tmp_path / "folder")


def test_times_are_used_and_those_of_other_builds_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another build wrote while this one measured goes into the file as well."""
    path, combined = tmp_path / "times.cache", []
    path.write_bytes(b"theirs")

    class Cache:
        def combine(self, other: bytes, ignore_mismatch: bool) -> bool:
            combined.append(other)
            return True

        def serialize(self) -> bytes:
            return b"ours+" + combined[-1]

    given: list[bytes] = []
    config = SimpleNamespace(
        get_timing_cache=Cache,
        create_timing_cache=lambda content: content,
        set_timing_cache=lambda cache, ignore_mismatch: not given.append(cache) and not ignore_mismatch,
    )
    trt = SimpleNamespace(log=SimpleNamespace(clear=lambda: None, warnings=[]))
    timing_cache.load_timing_cache(trt, config, path)  # type: ignore[arg-type]
    assert given == [b"theirs"]
    timing_cache.save_timing_cache(trt, config, path)  # type: ignore[arg-type]
    assert path.read_bytes() == b"ours+theirs"


@pytest.mark.parametrize(("capability", "expected"), [("8.9", True), ("12.0", False)])
def test_an_engine_for_another_gpu_is_not_tried(tmp_path: Path, capability: str, expected: bool) -> None:
    facts = RuntimeFacts("tensorrt", "10.16.0", compute_capabilities=(capability,))
    assert TensorRtTarget().can_run(CompiledEngine(b"", facts, EngineSettings())) is expected


@pytest.mark.parametrize("version", ["8.6.1", "10.2.0.19", "9.3"])
def test_a_tensorrt_that_is_too_old(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(standin, "__version__", version)
    with pytest.raises(SegppError, match=f"TensorRT {version} is too old") as caught:
        TensorRtTarget()
    assert (caught.value.expected, caught.value.fix) == (
        "TensorRT 10.3 or newer.",
        "pip install -U 'segpp-deploy[gpu]'",
    )


def test_tensorrt_rtx_on_a_gpu_that_it_does_not_know(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    TensorRtRtxTarget().require_device()
    answers = {FakeCuda.cudaDeviceAttr.cudaDevAttrComputeCapabilityMajor: 9}
    monkeypatch.setattr(cuda, "cudaDeviceGetAttribute", lambda which, number: (0, answers.get(which, 0)))
    with pytest.raises(SegppError, match=r"does not build for compute capability 9\.0") as caught:
        TensorRtRtxTarget().require_device()
    assert re.fullmatch(r"Choose --compute-capability .*, or --target tensorrt on that GPU\.", caught.value.fix)


def test_the_real_runner_has_what_the_stand_in_has() -> None:
    assert all(hasattr(EngineRunner, name) for name in ("run", "close"))
