"""The gate's search, on a bench whose accuracy is a sum over the layers that are quantised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from segpp_deploy.config import Precision
from segpp_deploy.data.images import write_image, write_labels
from segpp_deploy.engine.precision_record import KeptReason
from segpp_deploy.errors import CheckFailedError, SegppError
from segpp_deploy.evaluation.evaluator import Comparison
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.graph.precision.layers import Layer, LayerKind
from segpp_deploy.graph.precision.recipe import PrecisionRecipe
from segpp_deploy.progress import no_progress
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tasks.protocol.evaluation import Evaluation, PerClass, Score
from segpp_deploy.tuning import accuracy_gate, sensitivity
from segpp_deploy.tuning.accuracy_gate import AccuracyGate, HeldOut
from segpp_deploy.tuning.gate_options import GateOptions
from segpp_deploy.tuning.recipe_choice import RecipeChoice
from segpp_deploy.tuning.sensitivity import group_layers
from tests.support.tiny_graphs import CLASSES, tiny_metadata

LOSS = {  # points of mIoU that each layer costs in int8
    "encoder.stages.0.layers.0.attention.query": 0.1,
    "encoder.stages.0.layers.1.attention.query": 0.1,
    "encoder.stages.3.layers.0.feed_forward.expand": 2.0,
    "head.predict": 0.7,
}
KINDS = (LayerKind.QUERY, LayerKind.QUERY, LayerKind.EXPAND, LayerKind.HEAD_PREDICT)
ALWAYS_LOST = 0.05


def layer(name: str, kind: LayerKind) -> Layer:
    node = ir.node("Conv", [ir.Value(name="x"), ir.Value(name="w")])
    values = [value for value in node.inputs if value is not None]
    return Layer(name, kind, node, values[0], values[1], node.outputs[0])


LAYERS = tuple(layer(name, kind) for name, kind in zip(LOSS, KINDS, strict=True))
CHOICE = RecipeChoice(PrecisionRecipe(Precision.INT8, layers=frozenset(LOSS)), LAYERS)


@dataclass
class FakeSession:
    points: float


class FakeBench:
    target = TargetName.CPU
    is_own_target = False

    @contextmanager
    def open(self, recipe: PrecisionRecipe | None) -> Iterator[FakeSession]:
        yield FakeSession(0 if recipe is None else ALWAYS_LOST + sum(LOSS[name] for name in recipe.layers))


def evaluation(miou: float, sky: float) -> Evaluation:
    return Evaluation(Score("mIoU", miou), (), PerClass("IoU", {"road": 0.8, "sky": sky}), 4)


class FakeReference:
    """What the float32 graph says, and how far a session departs from it."""

    def __init__(self, nan: bool = False, warnings: tuple[str, ...] = ()) -> None:
        self.judged: list[float] = []
        self.nan = nan
        self.warnings = warnings

    def compare(self, predictor: FakeSession, step: str) -> Comparison:
        self.judged.append(predictor.points)
        miou = float("nan") if self.nan else 0.6 - predictor.points / 100
        reference = replace(evaluation(0.6, 0.4), warnings=self.warnings)
        return Comparison(evaluation(miou, 0.3), reference, (Score("pixel agreement", 0.99),))

    def agreement(self, predictor: FakeSession, count: int) -> Score:
        return Score("pixel agreement", 1 - predictor.points / 100)


@pytest.fixture(autouse=True)
def sessions_predict(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (accuracy_gate, sensitivity):
        monkeypatch.setattr(module, "Predictor", lambda session: session)


def run_gate(allowed: float, reference: FakeReference | None = None):
    options = GateOptions(allowed, "folder:held-out")
    return AccuracyGate(FakeBench(), reference or FakeReference(), options, no_progress).find_passing(CHOICE)


def test_groups_are_the_layers_of_one_kind_in_one_stage() -> None:
    groups = {group.name: len(group.layers) for group in group_layers(LAYERS)}
    assert groups == {"stage 1 query": 2, "stage 4 expand": 1, "head_predict": 1}


def test_what_passes_at_once_is_left_alone() -> None:
    result = run_gate(3.0)
    assert result.sensitivity == ()
    assert result.recipe == CHOICE.recipe
    assert result.kept == ()
    assert result.outcome.lost_points == pytest.approx(2.95)
    assert result.per_class == {"road": (0.8, 0.8), "sky": (0.4, 0.3)}


def test_the_most_sensitive_groups_return_first_and_no_more_than_needed() -> None:
    reference = FakeReference()
    result = run_gate(0.5, reference)
    assert [one.names for one in result.kept] == [
        ("encoder.stages.3.layers.0.feed_forward.expand",),
        ("head.predict",),
    ]
    assert {one.reason for one in result.kept} == {KeptReason.SENSITIVITY}
    assert reference.judged == pytest.approx([2.95, 0.95, 0.25])
    assert result.outcome.passed
    assert [one.group.name for one in result.sensitivity] == ["stage 4 expand", "head_predict", "stage 1 query"]


@pytest.mark.parametrize("allowed", [0.1, 0.0])
def test_nothing_passes_unless_some_layer_is_in_the_precision(allowed: float) -> None:
    with pytest.raises(CheckFailedError, match=r"all groups of layers but one .* it loses 0\.25 points") as failure:
        run_gate(allowed)
    assert failure.value.exit_code == 1
    assert "fp32" in failure.value.fix


def test_what_speaks_against_the_labels_is_handed_on() -> None:
    doubts = ("Near chance: ...",)
    assert run_gate(3.0, FakeReference(warnings=doubts)).warnings == doubts
    with pytest.raises(CheckFailedError, match=r"on folder:held-out\. Near chance"):
        run_gate(0.1, FakeReference(warnings=doubts))


def test_labels_are_surveyed_before_the_work_begins(tmp_path: Path) -> None:
    write_image(tmp_path / "images/a.png", np.zeros((8, 8, 3), np.uint8))
    write_labels(tmp_path / "labels/a.png", np.full((8, 8), CLASSES, np.uint8))
    graph = GraphFile(tmp_path / "tiny.onnx", onnx.ModelProto(), tiny_metadata(), "")
    with pytest.raises(SegppError, match="Likely cause: they count from 1"):
        HeldOut(GateOptions(1.0, f"folder:{tmp_path}"), graph, no_progress)


def test_a_nan_never_passes() -> None:
    with pytest.raises(CheckFailedError):
        run_gate(100.0, FakeReference(nan=True))
