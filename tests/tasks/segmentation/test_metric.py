"""The counts give what counting pixel by pixel gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.config import ClassTable
from segpp_deploy.data.label_maps import ignore_index
from segpp_deploy.tasks.segmentation.metric import SegmentationMetric
from segpp_deploy.tasks.segmentation.pixel_counts import PixelCounts
from segpp_deploy.tasks.segmentation.prediction import Segmentation

CLASSES = 4
IGNORE = 255
PIXELS = st.lists(
    st.tuples(st.integers(0, CLASSES - 1), st.sampled_from([0, 1, 2, 3, IGNORE])), min_size=1, max_size=40
)


def iou_by_sets(pixels: list[tuple[int, int]], index: int) -> float:
    predicted = {i for i, (p, t) in enumerate(pixels) if t != IGNORE and p == index}
    expected = {i for i, (p, t) in enumerate(pixels) if t == index}
    union = predicted | expected
    return len(predicted & expected) / len(union) if union else math.nan


@settings(max_examples=200, deadline=None)
@given(images=st.lists(PIXELS, min_size=1, max_size=4))
def test_against_sets_of_pixels(images: list[list[tuple[int, int]]]) -> None:
    counts = PixelCounts(CLASSES)
    for pixels in images:
        prediction, target = (np.array(side, np.uint8)[None] for side in zip(*pixels, strict=True))
        counts.update(prediction, target)
    everything = [pixel for pixels in images for pixel in pixels]
    expected = [iou_by_sets(everything, index) for index in range(CLASSES)]
    np.testing.assert_allclose(counts.per_class_iou(), expected, equal_nan=True)
    occurring = [iou for iou in expected if not math.isnan(iou)]
    counted = [(p, t) for p, t in everything if t != IGNORE]
    if not counted:
        assert math.isnan(counts.miou())
        assert math.isnan(counts.pixel_accuracy())
        return
    assert counts.miou() == pytest.approx(sum(occurring) / len(occurring))
    assert counts.pixel_accuracy() == pytest.approx(sum(p == t for p, t in counted) / len(counted))


def test_absent_class_is_left_out_of_the_mean() -> None:
    counts = PixelCounts(3)
    counts.update(np.array([[0, 0]], np.uint8), np.array([[0, 0]], np.uint8))
    assert counts.miou() == 1.0
    assert np.isnan(counts.per_class_iou()[1:]).all()


def test_class_predicted_but_never_true_counts_as_zero() -> None:
    counts = PixelCounts(2)
    counts.update(np.array([[0, 1]], np.uint8), np.array([[0, 0]], np.uint8))
    assert counts.per_class_iou().tolist() == [0.5, 0.0]


def test_predictions_on_ignored_pixels_do_not_count() -> None:
    counts = PixelCounts(2)
    counts.update(np.array([[0, 200]], np.uint8), np.array([[0, 255]], np.uint8))
    assert (counts.expected.tolist(), counts.predicted.tolist(), counts.correct.tolist()) == ([1, 0], [1, 0], [1, 0])


def test_what_was_predicted_and_what_is_true() -> None:
    counts = PixelCounts(2)
    counts.update(np.array([[1, 1]], np.uint8), np.array([[0, 0]], np.uint8))
    assert (counts.expected.tolist(), counts.predicted.tolist(), counts.correct.tolist()) == ([2, 0], [0, 2], [0, 0])


@pytest.mark.parametrize("classes", [150, 255, 256, 65535])
def test_many_classes(classes: int) -> None:
    """A matrix of the largest number would hold 34 GB."""
    labels = np.full((4, 4), classes - 1, np.uint16)
    target = labels.copy()
    target[0], target[1] = ignore_index(classes), 0
    counts = PixelCounts(classes)
    counts.update(labels, target)
    assert counts.correct[-1] == 8
    assert counts.per_class_iou()[[0, -1]].tolist() == [0, 8 / 12]


def test_evaluation_has_names() -> None:
    metric = SegmentationMetric(ClassTable(("road", "sky"), ((0, 0, 0), (1, 1, 1))))
    metric.update(Segmentation(np.array([[0, 1, 1]], np.uint8)), np.array([[0, 1, 0]], np.uint8))
    result = metric.evaluate()
    assert (result.headline.name, result.headline.value, result.samples) == ("mIoU", 0.5, 1)
    assert result.per_class.values == {"road": 0.5, "sky": 0.5}
    assert [score.name for score in result.further] == ["pixel accuracy"]
    assert result.to_dict() == {
        "images": 1,
        "headline": "miou",
        "miou": 0.5,
        "pixel_accuracy": pytest.approx(2 / 3),
        "per_class_iou": {"road": 0.5, "sky": 0.5},
    }


@pytest.mark.parametrize(("prediction", "target"), [([[2]], [[0]]), ([[0]], [[2]]), ([[-1]], [[0]])])
def test_values_that_are_no_class(prediction: list[list[int]], target: list[list[int]]) -> None:
    with pytest.raises(ValueError, match=r"classes are 0 \.\. 1"):
        PixelCounts(2).update(np.array(prediction), np.array(target))


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        PixelCounts(2).update(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))


def test_classes_of_one_name_stay_apart() -> None:
    metric = SegmentationMetric(ClassTable(("pole", "car", "pole")))
    metric.update(Segmentation(np.array([[0, 1, 2, 2]], np.uint8)), np.array([[0, 1, 2, 0]], np.uint8))
    assert metric.evaluate().per_class.values == {"pole (0)": 0.5, "car": 1.0, "pole (2)": 0.5}
