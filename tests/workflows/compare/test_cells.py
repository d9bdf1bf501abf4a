from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from segpp_deploy.config import Precision, Size, TaskName
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.exporting.plain import PLAIN
from segpp_deploy.model.weights.source import CardSource, CheckpointSource
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.search.candidate import EngineKind
from segpp_deploy.workflows.compare.cells import Cell, choose_engines, explain_impossible, load_modes, make_cells
from segpp_deploy.workflows.compare.options import (
    PLAIN_BASELINE,
    Axis,
    CompareOptions,
    name_models,
    parse_filter,
    parse_filters,
)
from tests.support.command_lines import parse

SIZES = (Size(64, 96), Size(128, 96))
OPTIONS = CompareOptions(
    (CardSource("model"),),
    "scenes",
    modes=("original", "fast"),
    targets=(TargetName.CPU, TargetName.OPENVINO),
    precisions=(Precision.FP32, Precision.BF16),
)


def cells_of(options: CompareOptions) -> list[Cell]:
    return list(make_cells("model", SIZES, load_modes(options), choose_engines(options), options))


def test_the_rows_are_the_product_in_order() -> None:
    cells = cells_of(OPTIONS)
    assert len(cells) == 2 * 2 * 2 * 2
    assert [str(cell) for cell in cells[:5]] == [
        "model, original, 64x96, cpu fp32",
        "model, original, 64x96, cpu bf16",
        "model, original, 64x96, openvino fp32",
        "model, original, 64x96, openvino bf16",
        "model, fast, 64x96, cpu fp32",
    ]


def test_filters_leave_the_baseline() -> None:
    options = replace(OPTIONS, only=parse_filters(["mode=fast,target=openvino"]), skip=parse_filters(["size=128x96"]))
    assert [str(cell) for cell in cells_of(options)] == [
        "model, original, 64x96, cpu fp32",
        "model, fast, 64x96, openvino fp32",
        "model, fast, 64x96, openvino bf16",
        "model, original, 128x96, cpu fp32",
    ]


def test_another_baseline_is_added_and_comes_first() -> None:
    cells = cells_of(replace(OPTIONS, baseline="hq"))
    assert [cell.candidate.plan.name for cell in cells][::4] == ["hq", "original", "fast"] * 2
    cells = cells_of(replace(OPTIONS, baseline=PLAIN_BASELINE))
    assert (cells[0].axes[Axis.MODE], str(cells[0].candidate.engine)) == (PLAIN, "cpu fp32")
    assert cells[0].is_plain
    assert [cell.is_plain for cell in cells].count(True) == len(SIZES)


def test_what_cannot_be_says_why() -> None:
    reasons = [explain_impossible(cell, TaskName.SEG, is_calibrated=False) for cell in cells_of(OPTIONS)[:2]]
    assert reasons == ["", "The target cpu does not compute in bf16."]
    cells = cells_of(replace(OPTIONS, targets=(TargetName.CUDA,), precisions=(Precision.INT8,)))
    assert explain_impossible(cells[0], TaskName.SEG, is_calibrated=True)
    int8 = cells_of(replace(OPTIONS, precisions=(Precision.INT8,)))[1]
    assert "No calibration" in explain_impossible(int8, TaskName.SEG, is_calibrated=False)
    assert explain_impossible(int8, TaskName.SEG, is_calibrated=True) == ""
    plain = cells_of(replace(OPTIONS, baseline=PLAIN_BASELINE))[0]
    assert "for segmentation" in explain_impossible(plain, TaskName.POSE, is_calibrated=False)
    small = replace(plain, candidate=replace(plain.candidate, size=Size(16, 16)))
    assert "too small" in explain_impossible(small, TaskName.SEG, is_calibrated=False)


def test_engines_that_were_not_named_are_those_that_work() -> None:
    unnamed = choose_engines(replace(OPTIONS, targets=(), precisions=()))
    assert EngineKind(TargetName.CPU) in unnamed
    assert all(kind.precision is not Precision.INT8 for kind in unnamed)
    named = choose_engines(replace(OPTIONS, targets=(TargetName.CUDA,), precisions=()))
    assert EngineKind(TargetName.CUDA) in named


@pytest.mark.parametrize("text", ["fast", "mode=", "mode"])
def test_filters_that_say_nothing_are_refused(text: str) -> None:
    with pytest.raises(SegppError, match="no condition"):
        parse_filter(text)


def test_an_unknown_axis_is_named() -> None:
    with pytest.raises(SegppError, match="Unknown axis 'modes'"):
        parse_filter("modes=fast")


def test_options_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for changes in ({"sources": ()}, {"modes": ()}, {"iterations": 0}, {"limit": 0}):
        with pytest.raises(SegppError):
            replace(OPTIONS, **changes)
    plan = tmp_path / "fast.yaml"
    plan.write_text("stages: [{}, {}, {}, {}]")
    with pytest.raises(SegppError, match="Two modes are called 'fast'"):
        load_modes(replace(OPTIONS, modes=("fast", str(plan))))
    with pytest.raises(SegppError, match="named twice"):
        name_models([CheckpointSource(tmp_path / "a.pth")] * 2)


def test_the_command_asks_for_the_same() -> None:
    options = replace(OPTIONS, sources=(CardSource("a b"), CardSource("c")), sizes=SIZES, baseline="plain", limit=3)
    assert options.command == (
        "segpp-deploy compare 'a b' c --data scenes --modes original,fast --sizes 64x96,128x96 "
        "--targets cpu,openvino --precisions fp32,bf16 --baseline plain --limit 3"
    )
    parse(["compare", "m", "--data", "scenes", "--only", "mode=fast", "--skip", "target=cpu", "--fresh"])
