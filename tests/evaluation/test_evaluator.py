"""The evaluator: targets of the data where there are such, the reference's predictions where not; any batch."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segpp_deploy.config import OutputKind, TaskName
from segpp_deploy.data.datasets import Dataset, Sample
from segpp_deploy.data.datasets.keypoints import KeypointAnnotation, Keypoints
from segpp_deploy.data.datasets.labels import LabelFile
from segpp_deploy.data.datasets.selection import open_pictures
from segpp_deploy.data.geometry.crop import Box
from segpp_deploy.data.images import write_image
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation import evaluator as evaluator_module
from segpp_deploy.evaluation.evaluator import Evaluator
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.model.training_facts import TrainingFacts
from tests.workflows.fake_session import SMALL, BrightnessSession, make_metadata

HEIGHT, WIDTH = SMALL.hw
PICTURES = 3
SHADES = (100, 150, 200, 240)  # of the four quarters; BrightnessSession calls all but the first bright
FLIPS_ONE_QUARTER = -40.0  # then 150 counts as dark


def picture() -> np.ndarray:
    row = np.repeat(np.array(SHADES, np.uint8), WIDTH // 4)
    return np.broadcast_to(row[None, :, None], (HEIGHT, WIDTH, 3)).copy()


def labelled(labels: np.ndarray | None, count: int = PICTURES) -> Dataset[Any]:
    target = None if labels is None else LabelFile("labels", lambda: labels)
    return Dataset("data", tuple(Sample(f"{i}.png", picture, target) for i in range(count)))


def truth() -> np.ndarray:
    return (picture()[..., 0] > 127).astype(np.uint8)


@pytest.mark.parametrize("output_kind", [OutputKind.LABELS, OutputKind.LOGITS])
@pytest.mark.parametrize("batch", [1, 2, None])
def test_labels_decide(batch: int | None, output_kind: OutputKind) -> None:
    metadata = make_metadata(output_kind, batch)
    steps: list[tuple[str, int, int]] = []
    evaluator = Evaluator[Any, Any](labelled(truth()), lambda *step: steps.append(step))
    kept = evaluator.keep(Predictor(BrightnessSession(metadata)), "Float32")
    assert kept.evaluation.headline.value == 1
    assert steps[-1] == ("Float32", PICTURES, PICTURES)
    session = BrightnessSession(metadata, FLIPS_ONE_QUARTER)
    found = kept.compare(Predictor(session), "int8")
    assert found.evaluation.samples == PICTURES
    assert found.reference is kept.evaluation
    assert found.agreement[0].value == pytest.approx(0.75, abs=0.02)  # logits are resized over the edge
    assert found.evaluation.headline.value == pytest.approx((1 / 2 + 2 / 3) / 2, abs=0.03)
    assert kept.agreement(Predictor(session), 2).value == pytest.approx(found.agreement[0].value)
    assert {shape[0] for shape in session.shapes} == {batch or 1}


def test_the_first_samples_of_a_kept_reference_are_a_reference() -> None:
    metadata = make_metadata()
    session = BrightnessSession(metadata)
    kept = Evaluator[Any, Any](labelled(truth())).keep(Predictor(session))
    predicted = len(session.shapes)
    part = kept.first(2)
    assert len(session.shapes) == predicted, "nothing is predicted again"
    assert (part.evaluation.samples, part.evaluation.headline.value) == (2, 1)
    found = part.compare(Predictor(BrightnessSession(metadata, FLIPS_ONE_QUARTER)))
    assert found.evaluation.samples == 2
    assert found.agreement[0].value == pytest.approx(0.75)


def test_two_predictors_in_one_pass_find_what_one_after_the_other_finds() -> None:
    metadata = make_metadata(OutputKind.LOGITS, 2)
    one, other = BrightnessSession(metadata), BrightnessSession(metadata, FLIPS_ONE_QUARTER)
    evaluator = Evaluator[Any, Any](labelled(truth()))
    together = evaluator.compare(Predictor(other), Predictor(one))
    kept = evaluator.keep(Predictor(one))
    assert together.evaluation == evaluator.evaluate(Predictor(other)) == kept.compare(Predictor(other)).evaluation
    assert together.reference == kept.evaluation
    assert together.agreement[0] == kept.compare(Predictor(other)).agreement[0]
    assert together.agreement[1].value == pytest.approx(40)  # of the logits, which a kept reference has no more


def test_wrong_labels_cost_the_reference_too() -> None:
    predictor = Predictor[Any](BrightnessSession(make_metadata()))
    kept = Evaluator[Any, Any](labelled(1 - truth())).keep(predictor)
    assert kept.evaluation.headline.value == 0
    assert kept.compare(predictor).agreement[0].value == 1


def test_a_directory_is_judged_by_the_reference(tmp_path: Path) -> None:
    for index in range(PICTURES):
        write_image(tmp_path / f"{index}.png", picture())
    metadata = make_metadata()
    pictures = open_pictures(tmp_path, TaskName.SEG).spread(2)
    kept = Evaluator[Any, Any](pictures).keep(Predictor(BrightnessSession(metadata)))
    assert kept.evaluation.samples == 2
    assert kept.evaluation.headline.value == 1
    found = kept.compare(Predictor(BrightnessSession(metadata, FLIPS_ONE_QUARTER)))
    assert found.evaluation.headline.value == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_pictures_without_labels_have_no_accuracy() -> None:
    with pytest.raises(SegppError, match="data has pictures without labels"):
        Evaluator[Any, Any](labelled(None)).evaluate(Predictor(BrightnessSession(make_metadata())))


@pytest.mark.parametrize("how", ["evaluate", "compare"])
def test_a_score_of_nothing_is_refused(how: str) -> None:
    ignored = Evaluator[Any, Any](labelled(np.full(SMALL.hw, 255, np.uint8)))
    predictors = [Predictor(BrightnessSession(make_metadata())) for _ in range(1 if how == "evaluate" else 2)]
    with pytest.raises(SegppError, match="Nothing in data has a label of a class"):
        getattr(ignored, how)(*predictors)


def test_labels_that_name_no_class() -> None:
    nothing = np.full(SMALL.hw, 255, np.uint8)
    with pytest.raises(SegppError, match="Nothing in data has a label of a class"):
        Evaluator[Any, Any](labelled(nothing)).keep(Predictor(BrightnessSession(make_metadata())))


def test_keypoints_beside_label_maps() -> None:
    """The same evaluator judges poses: the bright spot is keypoint 1, and nobody labelled keypoint 0."""
    image = np.zeros((64, 128, 3), np.uint8)
    image[30:34, 60:64] = 255
    points = np.array([[0, 0], [62, 32]], np.float32)
    box = Box(40, 20, 80, 44)
    person = KeypointAnnotation("entry 1", Keypoints(points, np.array([False, True]), box.longer_side))
    dataset = Dataset("people", (Sample("a", lambda: image, person, box),), TaskName.POSE)
    session = BrightnessSession(make_metadata(OutputKind.HEATMAPS, task=TaskName.POSE))
    evaluator = Evaluator[Any, Any](dataset)
    found = evaluator.compare(Predictor(session), Predictor(session))
    assert found.evaluation.headline.name == "PCK@0.1"
    assert found.evaluation.headline.value == 1
    assert np.isnan(found.evaluation.per_class.values["class_0"])
    assert [score.value for score in found.agreement] == [1, 0, 0]
    assert evaluator.keep(Predictor(session)).compare(Predictor(session)).agreement[0].value == 1
    with pytest.raises(SegppError, match="entry 1 has 2 keypoints, the model predicts 3"):
        evaluator.evaluate(
            Predictor(BrightnessSession(make_metadata(OutputKind.HEATMAPS, num_classes=3, task=TaskName.POSE)))
        )


@pytest.mark.parametrize(("room", "loads"), [(2**20, PICTURES), (0, 3 * PICTURES)])
def test_samples_that_have_room_are_loaded_once(room: int, loads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def load(name: str) -> np.ndarray:
        seen.append(name)
        return picture()

    monkeypatch.setattr(evaluator_module, "KEPT_BYTES", room)
    target = LabelFile("labels", truth)
    samples = tuple(Sample(str(i), partial(load, str(i)), target) for i in range(PICTURES))
    kept = Evaluator[Any, Any](Dataset("data", samples)).keep(Predictor(BrightnessSession(make_metadata())))
    for _ in range(2):
        assert kept.compare(Predictor(BrightnessSession(make_metadata()))).evaluation.headline.value == 1
    assert len(seen) == loads


@pytest.mark.parametrize(("room", "loads"), [(0, 3 * PICTURES), (1 << 20, PICTURES)])
def test_samples_stay_for_the_next_evaluation_where_they_may(room: int, loads: int) -> None:
    seen: list[None] = []

    def load() -> np.ndarray:
        seen.append(None)
        return picture()

    samples = tuple(replace(sample, load_image=load) for sample in labelled(truth()))
    evaluator = Evaluator[Any, Any](Dataset("data", samples), kept_bytes=room)
    for shift in (0.0, FLIPS_ONE_QUARTER, 0.0):
        found = evaluator.evaluate(Predictor(BrightnessSession(make_metadata(), shift)))
        assert (found.headline.value == 1) == (shift == 0)
    assert len(seen) == loads


@pytest.mark.parametrize(("labels", "doubts"), [(truth(), 0), (1 - truth(), 2)])
def test_a_model_that_was_trained_on_reduced_labels_is_asked_about_only_where_scores_are_poor(
    labels: np.ndarray, doubts: int
) -> None:
    metadata = replace(make_metadata(), training=TrainingFacts(reduce_labels=True))
    found = Evaluator[Any, Any](labelled(labels)).evaluate(Predictor(BrightnessSession(metadata)))
    assert len(found.warnings) == doubts
    assert all("trained on labels that count from 1" in warning for warning in found.warnings[1:])
