from __future__ import annotations

import errno
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from segpp_deploy.config import InputKind, LabelsLayout, Lowering, OutputForm, OutputKind, Precision
from segpp_deploy.engine.build import EngineOptions, build_graph
from segpp_deploy.engine.manifest import Manifest, manifest_path, read_manifest
from segpp_deploy.engine.open import verify_engine
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.graph_file import read_graph
from segpp_deploy.hardware.devices import DeviceKind
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.onnxruntime.cpu import CpuTarget
from segpp_deploy.runtimes.onnxruntime.session import OnnxRuntimeSession
from segpp_deploy.runtimes.registry import choose_target
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.result import BuildResult
from segpp_deploy.workflows.build_engine.run import run_build
from tests.support.requirements import needs
from tests.support.stub_exports import export_stub
from tests.support.tiny_graphs import PLUGIN_BODY, tiny_metadata, with_precision, write_tiny

CPU = BuildOptions(TargetName.CPU)
OPENVINO = BuildOptions(TargetName.OPENVINO)
TORCH = BuildOptions(TargetName.TORCH)
EACH_TARGET = pytest.mark.parametrize(
    "options",
    [
        pytest.param(CPU, id="cpu"),
        pytest.param(OPENVINO, id="openvino", marks=needs("openvino")),
        pytest.param(TORCH, id="torch"),
    ],
)


@EACH_TARGET
@pytest.mark.parametrize("output_kind", [OutputKind.LABELS, OutputKind.LOGITS])
@pytest.mark.parametrize("batch", [1, 2, None])
def test_builds(tmp_path: Path, options: BuildOptions, output_kind: OutputKind, batch: int | None) -> None:
    source = write_tiny(tmp_path / "a.onnx", tiny_metadata(output_kind, batch=batch))
    result = run_build(source, tmp_path / "out" / "a.engine", options)
    assert verify_engine(result.path).metadata.batch == batch
    assert result.to_dict() == {
        "path": str(tmp_path / "out/a.engine"),
        "manifest": str(tmp_path / "out/a.engine.json"),
        "target": str(options.target),
        "precision": "fp32",
        "build_seconds": result.manifest.build_seconds,
        "size_bytes": result.path.stat().st_size,
        "tried": True,
        "notes": [],
        "automatic": {"target": None, "precision": None},
        "precision_record": None,
    }
    assert result.notes == ()
    assert sorted(path.name for path in result.path.parent.iterdir()) == ["a.engine", "a.engine.json"]


def test_float_input(tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "a.onnx", tiny_metadata(OutputKind.LOGITS, InputKind.FLOAT))
    assert run_build(source, tmp_path / "a.engine", CPU).manifest.input.dtype == "float32"


@pytest.mark.parametrize("name", ["a.engine", "b.onnx", "no-suffix", "x.b0.plan"])
def test_the_engine_is_onnx_under_any_name(tmp_path: Path, name: str) -> None:
    result = run_build(write_tiny(tmp_path / "a.onnx"), tmp_path / name, CPU)
    assert manifest_path(result.path).name == name + ".json"
    onnx.checker.check_model(onnx.load(str(result.path)))


def test_the_same_source_gives_the_same_file(tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "a.onnx")
    first, second = (run_build(source, tmp_path / name, CPU) for name in ("a.engine", "b.engine"))
    assert first.path.read_bytes() == second.path.read_bytes()


def test_an_engine_is_tried_before_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def run_all(self: OnnxRuntimeSession, images: Any) -> Any:
        seen.append([path.name for path in tmp_path.iterdir()])
        return original(self, images)

    original = OnnxRuntimeSession.run_all
    monkeypatch.setattr(OnnxRuntimeSession, "run_all", run_all)
    run_build(write_tiny(tmp_path / "a.onnx"), tmp_path / "a.engine", CPU)
    assert seen == [["a.onnx"]]


def test_auto_says_what_it_took_and_why(tmp_path: Path) -> None:
    expected = choose_target()
    made = run_build(write_tiny(tmp_path / "a.onnx"), tmp_path / "a.engine")
    assert made.notes == (expected.note,)
    manifest = read_manifest(made.path)
    assert (manifest.target, manifest.automatic.target) == (expected.target, expected.why)
    assert made.to_dict()["automatic"] == {"target": expected.why, "precision": None}
    assert f"--target {expected.target}" in manifest.rebuild_command(made.path)


def test_auto_without_openvino(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segpp_deploy.runtimes.registry.devices_here", lambda: (DeviceKind.X86_CPU,))
    monkeypatch.setitem(sys.modules, "openvino", None)
    made = run_build(write_tiny(tmp_path / "a.onnx"), tmp_path / "a.engine")
    assert made.manifest.target is TargetName.CPU
    (note,) = made.notes
    assert "openvino is faster as a rule" in note
    assert note.endswith("pip install 'segpp-deploy[openvino]'")


def test_threads_are_recorded(tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "a.onnx")
    options = BuildOptions(TargetName.CPU, threads=1)
    assert run_build(source, tmp_path / "a.engine", options).manifest.settings.threads == 1
    with pytest.raises(SegppError, match="0 threads"):
        run_build(source, tmp_path / "b.engine", BuildOptions(TargetName.CPU, threads=0))


def test_progress_runs_from_start_to_end(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    run_build(write_tiny(tmp_path / "a.onnx"), tmp_path / "a.engine", CPU, lambda *step: seen.append(step))
    done = [number for _, number, _ in seen]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, seen[-1][2])


def _has_bf16() -> bool:
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def test_openvino_bf16(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_tiny(tmp_path / "a.onnx")
    options = BuildOptions(TargetName.OPENVINO, Precision.BF16)
    if _has_bf16():
        assert run_build(source, tmp_path / "a.engine", options).manifest.precision is Precision.BF16
    else:
        with pytest.raises(SegppError, match="cannot compute in bfloat16"):
            run_build(source, tmp_path / "a.engine", options)


@pytest.mark.parametrize("precision", [Precision.BF16, Precision.FP16, Precision.INT8])
def test_precisions_the_target_lacks(tmp_path: Path, precision: Precision) -> None:
    graph = read_graph(write_tiny(tmp_path / "a.onnx"))
    with pytest.raises(SegppError, match=f"whose precision is fp32, in {precision}") as caught:
        build_graph(graph, tmp_path / "a.engine", EngineOptions(TargetName.CPU, precision))
    assert "fp32" in caught.value.expected


def test_graphs_of_other_precisions(tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "a.onnx", with_precision(tiny_metadata(), Precision.FP16))
    for requested in (None, Precision.FP32):
        with pytest.raises(SegppError, match="whose precision is fp16"):
            run_build(source, tmp_path / "a.engine", BuildOptions(TargetName.CPU, requested))


@pytest.mark.parametrize("options", [CPU, OPENVINO], ids=["cpu", "openvino"])
def test_plugin_graphs_need_tensorrt(tmp_path: Path, options: BuildOptions) -> None:
    source = write_tiny(tmp_path / "a.onnx", tiny_metadata(lowering=Lowering.PLUGIN), PLUGIN_BODY)
    with pytest.raises(SegppError, match="has the plugin lowering") as caught:
        run_build(source, tmp_path / "a.engine", options)
    assert caught.value.fix == (
        f"segpp-deploy export --checkpoint b0.pth --mode original --size 64x96 --lowering portable -o {source}"
    )


def test_the_suggested_export_says_all_of_random_weights_for_one_output(tmp_path: Path) -> None:
    plugin = replace(tiny_metadata(lowering=Lowering.PLUGIN, num_classes=2), seed=7, threshold=0.4)
    with pytest.raises(SegppError, match="has the plugin lowering") as caught:
        run_build(write_tiny(tmp_path / "a.onnx", plugin, PLUGIN_BODY), tmp_path / "a.engine", CPU)
    assert "--random-weights 7 --arch b0 --task seg --num-classes 1" in caught.value.fix
    assert "--threshold 0.4" in caught.value.fix


def test_the_suggested_export_has_the_same_ends(tmp_path: Path) -> None:
    kinds = {"input_kind": InputKind.FLOAT255, "output_kind": OutputKind.LABELS_INT32, "lowering": Lowering.PLUGIN}
    metadata = replace(tiny_metadata(**kinds), output_form=OutputForm("mask", LabelsLayout.NHWC, confidence=True))
    with pytest.raises(SegppError, match="has the plugin lowering") as caught:
        run_build(export_stub(tmp_path / "a.onnx", metadata), tmp_path / "a.engine", CPU)
    words = "--input float255 --output labels-int32 --output-name mask --output-layout nhwc --confidence --lowering"
    assert words in caught.value.fix


@pytest.mark.parametrize("name", ["a.xml", "a.bin", "a.json"])
def test_suffixes_of_other_formats(tmp_path: Path, name: str) -> None:
    with pytest.raises(SegppError, match="An engine is one file") as caught:
        run_build(write_tiny(tmp_path / "b.onnx"), tmp_path / name, OPENVINO)
    assert caught.value.fix == f"-o {tmp_path / 'a.engine'}"


def test_the_source_is_not_overwritten(tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "a.onnx")
    before = source.read_bytes()
    with pytest.raises(SegppError, match="would overwrite its source"):
        run_build(source, tmp_path / "." / "a.onnx", CPU)
    assert source.read_bytes() == before


def test_output_directory(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(SegppError, match="is a directory"):
        run_build(write_tiny(tmp_path / "a.onnx"), tmp_path / "folder", CPU)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("labels = Div (image, image)", "cannot load|failed while it ran|put out"),
        (
            """pixels = Cast <to = 1> (image)
            planes = Transpose <perm = [0, 3, 1, 2]> (pixels)
            small = AveragePool <kernel_shape = [4, 4], strides = [4, 4]> (planes)
            zero = Sub (small, small)
            logits = Div (zero, zero)""",
            "NaN or infinite",
        ),
    ],
)
@EACH_TARGET
def test_graphs_that_do_not_work_leave_nothing(
    tmp_path: Path, body: str, complaint: str, options: BuildOptions
) -> None:
    kind = OutputKind.LOGITS if "logits" in body else OutputKind.LABELS
    source = write_tiny(tmp_path / "a.onnx", tiny_metadata(kind), body)
    with pytest.raises(SegppError, match=complaint):
        run_build(source, tmp_path / "a.engine", options)
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        (np.zeros((1, 64, 95), np.uint8), r"put out uint8 \[1, 64, 95\], not labels uint8 \[1, 64, 96\]"),
        (np.zeros((1, 64, 96), np.int64), "put out int64"),
        (np.full((1, 64, 96), 3, np.uint8), "put out class 3 of 3"),
    ],
)
def test_trial_run_judges_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: np.ndarray[Any, Any], complaint: str
) -> None:
    monkeypatch.setattr(OnnxRuntimeSession, "run_all", lambda *arguments: [output])
    with pytest.raises(SegppError, match=complaint):
        run_build(write_tiny(tmp_path / "a.onnx"), tmp_path / "a.engine", CPU)
    assert not (tmp_path / "a.engine").exists()


def test_engines_for_other_machines_are_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CpuTarget, "can_run", lambda *arguments: False)
    monkeypatch.setattr(CpuTarget, "load", lambda *arguments: pytest.fail("loaded"))
    result = run_build(write_tiny(tmp_path / "a.onnx"), tmp_path / "a.engine", CPU)
    assert result.path.exists()
    assert not result.to_dict()["tried"]
    assert result.notes[0].startswith("The engine was not tried")


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError(errno.ENOSPC, "No space left on device"), SegppError),
        (SegppError("no"), SegppError),
    ],
)
def test_a_failure_keeps_the_engine_that_was_there(
    built: BuildResult, monkeypatch: pytest.MonkeyPatch, failure: BaseException, raised: type[BaseException]
) -> None:
    before = {path.name: path.read_bytes() for path in built.path.parent.iterdir()}

    def fail(manifest: Manifest) -> None:
        raise failure

    monkeypatch.setattr("segpp_deploy.engine.build.dump_manifest", fail)  # the engine lies there in part
    with pytest.raises(raised):
        run_build(built.path.parent / "tiny.onnx", built.path, CPU)
    assert {path.name: path.read_bytes() for path in built.path.parent.iterdir()} == before


def test_an_unwritable_directory_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CpuTarget, "compile", lambda *arguments: pytest.fail("compiled"))
    (tmp_path / "file").touch()
    with pytest.raises(SegppError, match="Cannot write"):
        run_build(write_tiny(tmp_path / "a.onnx"), tmp_path / "file" / "a.engine", CPU)


def test_a_rebuilt_engine_replaces_both_files(built: BuildResult) -> None:
    source = write_tiny(built.path.parent / "tiny.onnx", replace(tiny_metadata(), checkpoint="other.pth"))
    run_build(source, built.path, CPU)
    assert verify_engine(built.path).metadata.checkpoint == "other.pth"
    assert json.loads(manifest_path(built.path).read_text())["metadata"]["checkpoint"] == "other.pth"
