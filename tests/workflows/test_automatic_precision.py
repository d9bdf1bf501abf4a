"""`--precision auto`: real candidates of a small model; only what a clock would say is made up where it matters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.cli.main import run_command
from segpp_deploy.config import Automatic, Int8Layers, Lowering, Precision
from segpp_deploy.data.images import write_image
from segpp_deploy.engine.manifest import read_manifest
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.latency import InterleavedLatency
from segpp_deploy.graph.precision.ranges import write_ranges
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import choose_target
from segpp_deploy.runtimes.session import Session
from segpp_deploy.tuning.calibration.options import RangesFile
from segpp_deploy.tuning.candidates import CandidateBench
from segpp_deploy.tuning.gate_options import AUTO_POINTS, GateOptions, parse_gate
from segpp_deploy.tuning.precision_choice import NO_DATA
from segpp_deploy.tuning.sensitivity import group_layers
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.result import BuildResult
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.inspect.run import run_inspect
from tests.support.requirements import require
from tests.workflows.conftest import SmallGraphs, ranges_of

Build = Callable[..., BuildResult]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    for index in range(2):
        pixels = np.random.default_rng(index).integers(0, 256, (6, 8, 3), np.uint8)
        write_image(folder / f"{index}.png", pixels.repeat(16, 0).repeat(16, 1))
    return folder


@pytest.fixture
def build(small_graph: SmallGraphs, pictures: Path, tmp_path: Path) -> Build:
    """build(points, options ..) -> the small model in the precision that was chosen."""
    small, ranges = small_graph(Lowering.PORTABLE), tmp_path / "ranges.yaml"
    write_ranges(ranges, ranges_of(small))

    def run(points: float | None = 100.0, target: TargetName = TargetName.CPU, **changes) -> BuildResult:
        gate = None if points is None else GateOptions(points, str(pictures))
        options = {"calibration": RangesFile(ranges), "int8_layers": Int8Layers.ALL, "gate": gate, **changes}
        return run_build(small.path, tmp_path / "auto.engine", BuildOptions(target, Automatic.AUTO, **options))

    return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """clock(int8=5.0) -> milliseconds that one call of a precision takes; float32 takes 10."""

    def set_times(**milliseconds: float) -> None:
        def time(sessions: Mapping[str, Session]) -> InterleavedLatency:
            for session in sessions.values():
                assert session.run is not None
            return InterleavedLatency({name: ({"fp32": 10.0, **milliseconds}[name],) * 3 for name in sessions})

        monkeypatch.setattr("segpp_deploy.tuning.precision_choice.time_in_turns", time)

    return set_times


def test_the_fastest_that_passes_is_built_and_recorded(build: Build, clock: Callable[..., None]) -> None:
    clock(int8=5.0)
    made = build()
    manifest = read_manifest(made.path)
    choice, record = manifest.automatic.precision, manifest.precision_record
    assert choice is not None
    assert record is not None
    assert manifest.precision is choice.precision is Precision.INT8
    assert [one.precision for one in choice.candidates] == [Precision.FP32, Precision.INT8]
    fp32, int8 = choice.candidates
    assert (fp32.verdict, fp32.latency_ms, fp32.speedup_over_fp32) == ("slower than what was chosen", 10.0, 1.0)
    assert (int8.verdict, int8.latency_ms, int8.speedup_over_fp32) == ("chosen", 5.0, 2.0)
    assert record.gate is not None
    assert int8.lost_points == round(record.gate.lost_points, 4)
    assert record.speedup_over_fp32 == 2.0
    assert made.to_dict()["automatic"]["precision"]["precision"] == "int8"
    assert made.notes[0].startswith("Precision int8: the fastest that loses at most 100 points on ")
    (table,) = made.tables()
    assert [row[0] for row in table.rows] == ["fp32", "int8"]
    assert "--precision int8 --calibration" in manifest.rebuild_command(made.path)
    facts, candidates, *_ = run_inspect(str(made.path)).tables()
    assert ("precision by auto", f"int8: {choice.why}") in facts.rows
    assert candidates == table


def test_nothing_that_passes_leaves_float32(
    build: Build, clock: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock(int8=5.0)
    monkeypatch.setattr("segpp_deploy.engine.precision_record.GateOutcome.passed", False)
    monkeypatch.setattr("segpp_deploy.tuning.accuracy_gate.find_sensitivity", lambda *_: ())
    made = build(0.0)
    choice = made.manifest.automatic.precision
    assert choice is not None
    assert made.manifest.precision is Precision.FP32
    assert made.manifest.precision_record is None
    assert [one.verdict for one in choice.candidates] == ["chosen", "loses too much"]
    assert choice.candidates[1].lost_points is not None
    assert "exact; nothing that is faster here loses at most 0 points" in made.notes[0]


def test_what_is_not_faster_is_not_judged(build: Build, clock: Callable[..., None]) -> None:
    clock(int8=9.9)
    choice = build().manifest.automatic.precision
    assert choice is not None
    assert [one.verdict for one in choice.candidates] == ["chosen", "not 2 % faster than fp32"]
    assert choice.candidates[1].lost_points is None


def test_layers_that_return_are_timed_too(
    build: Build, clock: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What passes only with layers in float32 may no longer be the faster one."""
    few = group_layers
    monkeypatch.setattr("segpp_deploy.tuning.accuracy_gate.group_layers", lambda layers: few(layers)[::12])
    clock(int8=5.0)
    verdicts = iter([False, False, *[True] * 9])  # asked twice before a group returns
    monkeypatch.setattr(
        "segpp_deploy.engine.precision_record.GateOutcome.passed", property(lambda self: next(verdicts))
    )
    monkeypatch.setattr("segpp_deploy.tuning.precision_choice.speedup_of", lambda *_: 0.8)
    monkeypatch.setattr("segpp_deploy.tuning.accuracy_gate.speedup_of", lambda *_: 0.8)
    choice = build(0.0).manifest.automatic.precision
    assert choice is not None
    assert choice.precision is Precision.FP32
    assert choice.candidates[1].speedup_over_fp32 == 0.8
    assert choice.candidates[1].latency_ms == 12.5


def test_without_calibration_int8_is_said_to_be_left_out(build: Build) -> None:
    choice = build(calibration=None).manifest.automatic.precision
    assert choice is not None
    assert choice.precision is Precision.FP32
    assert [one.verdict for one in choice.candidates] == ["chosen", "not tried: no calibration was given"]
    assert choice.candidates[0].latency_ms is not None


@pytest.mark.parametrize("has_bf16", [True, False])
def test_bf16_only_where_the_cpu_has_it(
    build: Build, clock: Callable[..., None], monkeypatch: pytest.MonkeyPatch, has_bf16: bool
) -> None:
    require("openvino")
    clock(bf16=4.0, int8=5.0)
    usable = (Precision.FP32, Precision.INT8, *((Precision.BF16,) if has_bf16 else ()))
    monkeypatch.setattr("segpp_deploy.runtimes.openvino.target.OpenVinoTarget.usable_precisions", lambda self: usable)
    if has_bf16:  # whatever this CPU has: what OpenVINO is told is the same graph in float32
        monkeypatch.setattr("segpp_deploy.runtimes.openvino.loader._check_precision", lambda *_: None)
        hints = {Precision.FP32: "f32", Precision.BF16: "f32"}
        monkeypatch.setattr("segpp_deploy.runtimes.openvino.loader._PRECISION_HINTS", hints)
    choice = build(target=TargetName.OPENVINO).manifest.automatic.precision
    assert choice is not None
    verdicts = {one.precision: one.verdict for one in choice.candidates}
    assert choice.precision is (Precision.BF16 if has_bf16 else Precision.INT8)
    assert verdicts[Precision.BF16] == ("chosen" if has_bf16 else "not tried: this CPU lacks it")


def test_kinds_of_layers_that_gain_nothing(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the recipe, the graph that is timed is the one in float32."""
    plain = CandidateBench.open
    monkeypatch.setattr(CandidateBench, "open", lambda self, _, **options: plain(self, None, **options))
    monkeypatch.setattr("segpp_deploy.tuning.int8_layers.compare_speeds", lambda baseline, others: [1.5] * len(others))
    choice = build(int8_layers=Int8Layers.FASTER).manifest.automatic.precision
    assert choice is not None
    assert choice.candidates[-1].verdict == "not tried: no kind of layers is faster so here"


def test_a_gpu_that_is_not_here_gets_fp16_that_the_cpu_judged(build: Build, small_graph: SmallGraphs) -> None:
    require("tensorrt_rtx")
    made = build(target=TargetName.TENSORRT_RTX)
    choice = made.manifest.automatic.precision
    assert choice is not None
    assert made.manifest.precision is Precision.FP16
    verdicts = {one.precision: one.verdict for one in choice.candidates}
    assert verdicts[Precision.INT8] == "not tried: whether it is faster, only the GPU can tell"
    assert {one.latency_ms for one in choice.candidates} == {None}
    assert "nothing was timed" in choice.why


def test_without_pictures_it_is_exact_and_says_so(build: Build) -> None:
    made = build(None, TargetName.AUTO, calibration=None)
    choice = made.manifest.automatic.precision
    assert choice is not None
    assert (choice.precision, choice.why, choice.candidates) == (Precision.FP32, NO_DATA, ())
    assert made.notes == (choose_target().note, f"Precision fp32: {NO_DATA}")
    assert made.tables() == ()
    facts, *_ = run_inspect(str(made.path)).tables()
    assert ("target by auto", f"{made.manifest.target}: {choose_target().why}") in facts.rows
    assert ("precision by auto", f"fp32: {NO_DATA}") in facts.rows


def test_a_report_shows_the_precisions(build: Build, clock: Callable[..., None], tmp_path: Path) -> None:
    require("matplotlib")
    clock(int8=5.0)
    build(report_dir=tmp_path / "report")
    assert "## Precisions\n\nChosen: int8, the fastest" in (tmp_path / "report/precision.md").read_text()
    values = json.loads((tmp_path / "report/precision.json").read_text())
    assert values["automatic"]["precision"] == "int8"


def test_the_command_line_needs_no_number_of_points(
    small_graph: SmallGraphs, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, engine = str(small_graph(Lowering.PORTABLE).path), str(tmp_path / "e.engine")
    words = ["build-engine", source, "--target", "cpu", "--precision", "auto", "--data", str(pictures), "-o", engine]
    assert run_command([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert f"loses at most {AUTO_POINTS:g} points on {pictures}" in document["automatic"]["precision"]["why"]


def test_points_have_a_default_only_where_the_gate_chooses() -> None:
    assert parse_gate(None, "x", chooses_precision=True) == GateOptions(AUTO_POINTS, "x")
    assert parse_gate(0.5, "x", chooses_precision=True) == GateOptions(0.5, "x")
    assert parse_gate(None, None, chooses_precision=True) is None
    with pytest.raises(SegppError, match="--gate-data has no use"):
        parse_gate(None, "x")


@pytest.mark.parametrize("option", ["calibration", "report"])
def test_options_that_only_pictures_give_a_use_are_refused(option: str, tmp_path: Path) -> None:
    words = {"calibration": RangesFile(Path("r.yaml")), "report": tmp_path}
    name = {"calibration": "calibration", "report": "report_dir"}[option]
    with pytest.raises(SegppError, match=f"--{option} has no use where --precision auto") as error:
        BuildOptions(precision=Automatic.AUTO, **{name: words[option]})
    assert "--data" in error.value.fix


def test_unknown_precisions_are_told_all_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["build-engine", "x.onnx", "--precision", "atuo", "-o", str(tmp_path / "e")]) == 2
    assert "auto, fp32, bf16, fp16, int8" in capsys.readouterr().err
