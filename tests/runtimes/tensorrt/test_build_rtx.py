"""Builds with NVIDIA's TensorRT-RTX, which needs no GPU."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from segpp_deploy.config import Precision
from segpp_deploy.engine.open import open_session, verify_engine
from segpp_deploy.errors import SegppError
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.runtimes.builder_options import BuilderOptions
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.target import Payload
from segpp_deploy.runtimes.tensorrt.progress import BuildTracker
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.result import BuildResult
from segpp_deploy.workflows.build_engine.run import run_build
from tests.support.requirements import require
from tests.support.tensorrt_graphs import (
    CONVOLUTION,
    HALF_CONVOLUTION,
    QUANTISED_CONVOLUTION,
    TOO_LONG_TOP_K,
    UNKNOWN_OPERATOR,
    write_graph,
)

trt = require("tensorrt_rtx")
pytestmark = pytest.mark.usefixtures("no_gpu")


def build(source: Path, progress: Progress = no_progress, **settings: Any) -> BuildResult:
    options = BuildOptions(TargetName.TENSORRT_RTX, builder=BuilderOptions(**settings))
    return run_build(source, source.with_suffix(".engine"), options, progress)


def test_the_manifest_says_what_the_engine_is(tmp_path: Path) -> None:
    result = build(write_graph(tmp_path / "a.onnx"), compute_capabilities=("8.9", "12.0"), workspace_mib=64)
    manifest = result.manifest
    assert (manifest.runtime.name, manifest.runtime.version) == ("tensorrt_rtx", trt.__version__)
    assert manifest.runtime.cuda == "13"
    assert manifest.runtime.compute_capabilities == ("8.9", "12.0")
    assert manifest.runtime.plugin_sha256 is None
    assert manifest.precision is Precision.FP32
    assert manifest.payload is Payload.TENSORRT_RTX_PLAN
    assert manifest.layer_types == {"convolution": {"fp32": 1}}
    assert not manifest.tried
    assert result.notes == ("The engine was not tried: it needs an NVIDIA GPU of compute capability 8.9, 12.0.",)
    words = f"--target tensorrt-rtx --compute-capability 8.9,12.0 --workspace-mib 64 -o {result.path}"
    assert words in manifest.rebuild_command(result.path)


def test_without_a_gpu_every_one_from_ampere_on_is_meant(tmp_path: Path) -> None:
    facts = build(write_graph(tmp_path / "a.onnx")).manifest.runtime
    assert {"8.6", "8.9", "12.0"} <= set(facts.compute_capabilities)
    assert "7.5" not in facts.compute_capabilities


@pytest.mark.parametrize(
    ("capabilities", "complaint"),
    [(("8.7", "9.0"), r"does not build for compute capability 8\.7, 9\.0"), (("7.5", "8.9"), "One engine cannot")],
)
def test_gpus_that_it_does_not_build_for(tmp_path: Path, capabilities: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(SegppError, match=complaint) as caught:
        build(write_graph(tmp_path / "a.onnx"), compute_capabilities=capabilities)
    assert "--compute-capability" in caught.value.fix
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


def test_dynamic_batch(tmp_path: Path) -> None:
    source = write_graph(tmp_path / "a.onnx", batch=None)
    result = build(source, max_batch=4, opt_batch=2)
    assert result.manifest.input.shape == (None, 64, 96, 3)
    assert result.manifest.settings.builder.batch_range == (1, 2, 4)
    assert "--opt-batch 2 --max-batch 4" in result.manifest.rebuild_command(result.path)


@pytest.mark.parametrize(
    ("body", "precision", "types"),
    [
        (HALF_CONVOLUTION, Precision.FP16, {"convolution": {"fp16": 1}}),
        (QUANTISED_CONVOLUTION, Precision.INT8, {"convolution": {"int8": 1}}),
    ],
)
def test_the_graphs_precision_is_the_engines(
    tmp_path: Path, body: str, precision: Precision, types: dict[str, dict[str, int]]
) -> None:
    manifest = build(write_graph(tmp_path / "a.onnx", body, precision)).manifest
    assert (manifest.precision, manifest.layer_types) == (precision, types)


@pytest.mark.parametrize(
    ("body", "claimed", "found"),
    [
        (CONVOLUTION, Precision.FP16, "convolution: 1 fp32"),
        (CONVOLUTION, Precision.INT8, "convolution: 1 fp32"),
        (HALF_CONVOLUTION, Precision.FP32, "convolution: 1 fp16"),
        (QUANTISED_CONVOLUTION, Precision.FP16, "convolution: 1 int8"),
    ],
)
def test_a_graph_that_claims_another_precision(tmp_path: Path, body: str, claimed: Precision, found: str) -> None:
    with pytest.raises(SegppError, match=f"does not compute in {claimed}: {found}"):
        build(write_graph(tmp_path / "a.onnx", body, claimed))
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


def test_the_parsers_reason_names_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segpp_deploy.graph.graph_file._check_model", lambda *_: None)  # ONNX's own check is earlier
    with pytest.raises(SegppError, match=r"cannot parse .*a\.onnx: node \d+ Wobble: .*Plugin not found"):
        build(write_graph(tmp_path / "a.onnx", UNKNOWN_OPERATOR))


def test_the_builders_reason_is_shown(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match=r"cannot build .*a\.onnx: .*K exceeds the maximum value"):
        build(write_graph(tmp_path / "a.onnx", TOO_LONG_TOP_K))
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


def test_progress_and_nothing_on_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[tuple[str, int, int]] = []
    build(write_graph(tmp_path / "a.onnx"), lambda *step: seen.append(step))
    done = [count for _, count, _ in seen]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 100)
    assert len({count for step, count, _ in seen if step == "Building the engine"}) > 1
    assert capfd.readouterr() == ("", "")


def test_ctrl_c_stops_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    allowed: list[bool] = []
    complete = BuildTracker.complete

    def note_and_wait(self: BuildTracker, name: str, step: int) -> bool:
        pressed.wait(10)
        allowed.append(complete(self, name, step))
        return allowed[-1]

    def press(step: str, done: int, total: int) -> None:
        if step == "Building the engine" and threading.active_count() > threads:
            threading.Timer(0.2, pressed.set).start()
            raise KeyboardInterrupt

    pressed, threads = threading.Event(), threading.active_count()
    monkeypatch.setattr(BuildTracker, "complete", note_and_wait)
    with pytest.raises(KeyboardInterrupt):
        build(write_graph(tmp_path / "a.onnx"), press)
    assert allowed
    assert not any(allowed), "the library went on"
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]
    assert capfd.readouterr() == ("", "")


def test_a_built_engine_cannot_run_here(tmp_path: Path) -> None:
    result = build(write_graph(tmp_path / "a.onnx"), compute_capabilities=("8.9",))
    with pytest.raises(SegppError, match=r"a\.engine cannot run here: No NVIDIA GPU was found\.") as caught:
        open_session(result.path)
    assert "NVIDIA GPU of compute capability 8.9" in caught.value.expected
    assert caught.value.fix


@pytest.mark.parametrize("damage", [lambda whole: b"", lambda whole: whole[:-9], lambda whole: whole[:-1] + b"!"])
def test_a_damaged_engine_is_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Any) -> None:
    result = build(write_graph(tmp_path / "a.onnx"))
    result.path.write_bytes(damage(result.path.read_bytes()))
    monkeypatch.setattr("segpp_deploy.runtimes.tensorrt.session.load_engine", lambda *_: pytest.fail("loaded"))
    for use in (verify_engine, open_session):
        with pytest.raises(SegppError, match=r"is empty|has \d+ bytes|was changed"):
            use(result.path)


def test_there_is_no_timing_cache(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="--timing-cache means nothing to the target tensorrt-rtx") as caught:
        build(write_graph(tmp_path / "a.onnx"), timing_cache=tmp_path / "times.cache")
    assert "--compute-capability" in caught.value.expected
