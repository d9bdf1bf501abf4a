"""Engines in reduced precision: real ones of a small trained model, and what is refused before any work is done."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from segpp_deploy.cli.build_engine import build_engine
from segpp_deploy.cli.main import run_command
from segpp_deploy.config import Int8Layers, Lowering, Precision, Preset, Size
from segpp_deploy.data.images import write_image
from segpp_deploy.engine.manifest import manifest_path, read_manifest
from segpp_deploy.engine.precision_record import KeptReason
from segpp_deploy.errors import CheckFailedError, SegppError
from segpp_deploy.graph.precision.ranges import write_ranges
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.onnxruntime.loader import LoadOptions
from segpp_deploy.runtimes.openvino.loader import supports_bf16
from segpp_deploy.tuning.calibration import calibrator
from segpp_deploy.tuning.calibration.options import CalibrationOptions, RangesFile, parse_calibration
from segpp_deploy.tuning.gate_options import GATE_IMAGES, GateOptions, parse_gate
from segpp_deploy.tuning.sensitivity import group_layers
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.report import REPORT_NAME
from segpp_deploy.workflows.build_engine.result import BuildResult
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.calibrate import run_calibrate
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from tests.support.exporting import SCENE_SIZE
from tests.support.requirements import require
from tests.support.tiny_graphs import write_tiny
from tests.workflows.conftest import SmallGraphs, ranges_of

CARD = Path(__file__).parents[2] / "models/segformer_b0_scenes.yaml"
LEAST_INT8_AGREEMENT = 0.985
HELD_OUT = "scenes:3"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "fast.onnx"
    run_export(ExportOptions(path, CardSource(str(CARD)), mode=str(Preset.FAST), size=SCENE_SIZE))
    return path


@pytest.fixture(scope="module")
def ranges(exported: Path) -> Path:
    path = exported.with_name("ranges.yaml")
    run_calibrate(exported, path, CalibrationOptions("scenes:4#train", 4))
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A directory of pictures without labels."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(2):
        pixels = np.random.default_rng(index).integers(0, 256, (6, 8, 3), np.uint8)
        write_image(folder / f"{index}.png", pixels.repeat(16, 0).repeat(16, 1))
    return folder


@pytest.fixture
def build(small_graph: SmallGraphs, tmp_path: Path) -> Callable[..., BuildResult]:
    """build(precision, target, source=, options=..) -> an engine of the small model, unless told otherwise."""
    small, ranges = small_graph(Lowering.PORTABLE), tmp_path / "ranges.yaml"
    write_ranges(ranges, ranges_of(small))

    def run(
        precision: Precision | None = Precision.INT8, target: TargetName = TargetName.CPU, **changes
    ) -> BuildResult:
        source = changes.pop("source", small.path)
        options = {"calibration": RangesFile(ranges), "int8_layers": Int8Layers.ALL, **changes}
        return run_build(source, tmp_path / "fast.engine", BuildOptions(target, precision, **options))

    return run


def test_an_int8_engine_passes_the_gate_and_says_how(
    build: Callable[..., BuildResult], exported: Path, ranges: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("matplotlib")
    few = group_layers
    monkeypatch.setattr("segpp_deploy.tuning.accuracy_gate.group_layers", lambda layers: few(layers)[::12])
    calibrated = {"source": exported, "calibration": RangesFile(ranges)}
    made = build(**calibrated, gate=GateOptions(5.0, HELD_OUT), report_dir=tmp_path / "report")
    engine = made.path
    manifest = read_manifest(engine)
    record = manifest.precision_record
    assert record is not None
    assert manifest.precision is Precision.INT8
    assert record.gate is not None
    assert record.gate.passed
    assert record.gate.images == 3
    assert (record.gate.reference.name, record.gate.agreement.name) == ("mIoU", "pixel agreement")
    assert record.gate.reference.value > 0.5
    assert record.gate.agreement.value > 0.9
    assert record.ranges is not None
    assert record.ranges.data == "scenes#train"
    assert "encoder.stages.0.layers.0.attention.query" in record.quantized
    operations = [node.op_type for node in onnx.load(str(engine), load_external_data=False).graph.node]
    assert operations.count("DequantizeLinear") > len(record.quantized)
    command = manifest.rebuild_command(engine)
    assert "--precision int8 --calibration" in command
    assert "--int8-layers all" in command
    assert f"--accuracy-gate 5 --gate-data {HELD_OUT} --gate-images 3" in command
    assert made.report is not None
    page = (tmp_path / "report" / REPORT_NAME).read_text(encoding="utf-8")
    assert "<svg" in page
    assert "Accuracy by class" in page
    values = json.loads((tmp_path / "report" / "precision.json").read_text(encoding="utf-8"))
    assert values["record"] == made.to_dict()["precision_record"]
    assert set(values["per_class"]) >= {"road", "sky"}
    changed = [one["changed"] for one in values["sensitivity"]]
    assert changed == sorted(changed, reverse=True)
    titles = [table.title for table in made.report.tables()]
    assert titles == ["Accuracy", "Accuracy by class", "Layers in a higher precision", "Sensitivity"]
    assert made.to_dict()["precision_record"]["gate"]["images"] == 3


@pytest.mark.parametrize("target", [TargetName.CPU, TargetName.OPENVINO])
def test_int8_computes_what_float32_does(
    build: Callable[..., BuildResult], exported: Path, ranges: Path, target: TargetName
) -> None:
    """Runtimes have miscompiled int8 graphs: with all layers in int8, 96 % of these pixels agreed instead of 99 %."""
    made = build(target=target, source=exported, calibration=RangesFile(ranges), gate=GateOptions(100.0, HELD_OUT))
    record = made.manifest.precision_record
    assert record is not None
    assert record.gate is not None
    assert record.gate.agreement.value > LEAST_INT8_AGREEMENT


def test_a_gate_that_nothing_passes_leaves_the_old_engine(
    build: Callable[..., BuildResult], pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = build(Precision.FP32, calibration=None)
    before = old.path.read_bytes(), manifest_path(old.path).read_bytes()
    monkeypatch.setattr("segpp_deploy.engine.precision_record.GateOutcome.passed", False)
    monkeypatch.setattr("segpp_deploy.tuning.accuracy_gate.find_sensitivity", lambda *_: ())
    with pytest.raises(CheckFailedError, match="No engine passed"):
        build(gate=GateOptions(5.0, str(pictures)))
    assert (old.path.read_bytes(), manifest_path(old.path).read_bytes()) == before


def test_layers_that_are_slower_in_int8_are_left_out(
    build: Callable[..., BuildResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    ratios = iter([1.5, *[0.9] * 20])
    monkeypatch.setattr(
        "segpp_deploy.tuning.int8_layers.compare_speeds", lambda baseline, others: [next(ratios) for _ in others]
    )
    made = build(int8_layers=Int8Layers.FASTER)
    record = made.manifest.precision_record
    assert record is not None
    left = [one for one in record.kept if one.reason is KeptReason.SPEED]
    assert len(left) == 1
    assert left[0].cost_percent == pytest.approx(-33.3)
    assert not set(left[0].names) & set(record.quantized)
    assert record.quantized
    assert record.speedup_over_fp32 == 0.9
    assert made.report is not None
    assert "Where int8 pays" in made.report.markdown()
    assert "0.90 times as fast as in float32" in made.report.markdown()
    assert any("Build in fp32" in note for note in made.notes)
    assert any("By its profile, convolutions and products took" in note for note in made.notes)


def test_bf16_passes_the_gate(small_graph: SmallGraphs, pictures: Path, tmp_path: Path) -> None:
    require("matplotlib")
    gate = GateOptions(50.0, str(pictures), 1)
    source = small_graph(Lowering.PORTABLE).path
    if not supports_bf16():
        pytest.skip("this CPU has no bf16")
    options = BuildOptions(TargetName.OPENVINO, Precision.BF16, gate=gate, report_dir=tmp_path / "report")
    made = run_build(source, tmp_path / "e", options)
    record = read_manifest(tmp_path / "e").precision_record
    assert record is not None
    assert record.gate is not None
    assert (record.rest, record.quantized, record.ranges) == (Precision.BF16, (), None)
    assert (record.gate.images, record.gate.judged_on, record.gate.reference.value) == (1, "openvino", 1)
    assert 0.5 < record.gate.agreement.value <= 1
    assert f"of {pictures}: " in made.summary()
    page = (tmp_path / "report" / REPORT_NAME).read_text(encoding="utf-8")
    assert "Accuracy by class" in page
    assert "Where the time goes" in page
    assert record.speedup_over_fp32 is not None


def test_a_report_of_bf16_needs_no_gate(small_graph: SmallGraphs, tmp_path: Path) -> None:
    require("matplotlib")
    if not supports_bf16():
        pytest.skip("this CPU has no bf16")
    options = BuildOptions(TargetName.OPENVINO, Precision.BF16, report_dir=tmp_path / "report")
    made = run_build(small_graph(Lowering.PORTABLE).path, tmp_path / "e", options)
    assert made.report is not None
    values = json.loads((tmp_path / "report" / "precision.json").read_text(encoding="utf-8"))
    speedup = values["record"]["speedup_over_fp32"]
    assert any(f"In bf16 it runs {speedup:.2f} times" in note for note in made.notes)
    groups = {one["group"]: one for one in values["profile_ms"]}
    assert groups["convolutions and products"]["float32_ms"] > 0
    assert groups["convolutions and products"]["engine_ms"] > 0


def judged_on_its_calibration(pictures: Path) -> BuildOptions:
    """Int8 for every layer, with a gate that lets everything pass."""
    return BuildOptions(
        TargetName.CPU,
        Precision.INT8,
        calibration=CalibrationOptions(str(pictures)),
        int8_layers=Int8Layers.ALL,
        gate=GateOptions(100.0, str(pictures)),
    )


def test_the_gate_says_when_it_judges_on_what_calibration_saw(
    small_graph: SmallGraphs, pictures: Path, tmp_path: Path
) -> None:
    made = run_build(small_graph(Lowering.PORTABLE).path, tmp_path / "e", judged_on_its_calibration(pictures))
    assert any("is what calibration saw" in note for note in made.notes)


def test_the_gate_judges_pose_models_by_their_own_score(pictures: Path, tmp_path: Path) -> None:
    graph = run_export(ExportOptions(tmp_path / "pose.onnx", CardSource("segformer_b0_people"), size=Size(64, 64)))
    made = run_build(graph.path, tmp_path / "pose.engine", judged_on_its_calibration(pictures))
    record = made.manifest.precision_record
    assert record is not None
    assert record.gate is not None
    assert (record.gate.engine.name, record.gate.agreement.name) == ("PCK@0.1", "keypoint agreement")
    assert "PCK@0.1" in made.summary()


def test_calibration_on_the_way_uses_the_threads_that_were_asked_for(
    small_graph: SmallGraphs, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int | None] = []

    def stop(path: object, options: LoadOptions) -> None:
        seen.append(options.threads)
        raise SegppError("stopped")

    monkeypatch.setattr(calibrator, "load_onnxruntime", stop)
    arguments = [str(small_graph(Lowering.PORTABLE).path), "--target", "cpu", "--precision", "int8", "--threads", "1"]
    assert run_command(["build-engine", *arguments, "--calibration", str(pictures), "-o", str(pictures / "e")]) == 2
    assert seen == [1]


def test_a_source_of_ranges_is_a_file_or_pictures() -> None:
    assert parse_calibration("a/ranges.yml") == RangesFile(Path("a/ranges.yml"))
    assert parse_calibration("camvid:data#train", 3) == CalibrationOptions("camvid:data#train", threads=3)


def test_the_command_line_has_the_defaults_of_the_options() -> None:
    parameters = inspect.signature(build_engine).parameters
    assert parameters["gate_images"].default == GATE_IMAGES == GateOptions(1.0, "x").images
    assert parameters["int8_layers"].default == BuildOptions().int8_layers
    assert parameters["target"].default == BuildOptions().target


@pytest.mark.parametrize(
    ("precision", "changes", "what", "fix"),
    [
        (Precision.INT8, {"calibration": None}, "int8 needs to know the range", "segpp-deploy calibrate"),
        (Precision.FP16, {}, "does not compute in fp16", "--precision int8"),
        (Precision.FP32, {}, "--calibration has no use", "Leave --calibration out"),
        (Precision.FP32, {"calibration": None, "report_dir": Path("r")}, "--report has no use", "Leave --report out"),
    ],
)
def test_refused_with_the_fix(
    build: Callable[..., BuildResult], tmp_path: Path, precision: Precision | None, changes, what: str, fix: str
) -> None:
    with pytest.raises(SegppError, match=what) as error:
        build(precision, **changes)
    assert fix in error.value.fix
    assert not (tmp_path / "fast.engine").exists()


def test_ranges_of_another_model_are_refused(build: Callable[..., BuildResult], tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="was made for b0 fast"):
        build(source=write_tiny(tmp_path / "original.onnx"))


@pytest.mark.parametrize(
    ("points", "data", "images", "what"),
    [
        (-1.0, HELD_OUT, 1, "no number of points"),
        (float("nan"), HELD_OUT, 1, "no number of points"),
        (1.0, None, 1, "needs pictures"),
        (None, HELD_OUT, 1, "--gate-data has no use"),
        (1.0, HELD_OUT, 0, "--gate-images 0 leaves no picture"),
    ],
)
def test_impossible_gates(points: float | None, data: str | None, images: int, what: str) -> None:
    with pytest.raises(SegppError, match=what):
        parse_gate(points, data, images)


def test_calibration_needs_a_picture() -> None:
    with pytest.raises(SegppError, match="--images 0 leaves no picture"):
        CalibrationOptions("x", 0)
