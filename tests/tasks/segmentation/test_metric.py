"""The confusion matrix gives what counting pixel by pixel gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.config import ClassTable
from segpp_deploy.tasks.segmentation.metric import ConfusionMatrix, SegmentationMetric
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
    matrix = ConfusionMatrix(CLASSES)
    for pixels in images:
        prediction, target = (np.array(side, np.uint8)[None] for side in zip(*pixels, strict=True))
        matrix.update(prediction, target)
    everything = [pixel for pixels in images for pixel in pixels]
    expected = [iou_by_sets(everything, index) for index in range(CLASSES)]
    np.testing.assert_allclose(matrix.per_class_iou(), expected, equal_nan=True)
    occurring = [iou for iou in expected if not math.isnan(iou)]
    counted = [(p, t) for p, t in everything if t != IGNORE]
    if not counted:
        assert math.isnan(matrix.miou())
        assert math.isnan(matrix.pixel_accuracy())
        return
    assert matrix.miou() == pytest.approx(sum(occurring) / len(occurring))
    assert matrix.pixel_accuracy() == pytest.approx(sum(p == t for p, t in counted) / len(counted))


def test_absent_class_is_left_out_of_the_mean() -> None:
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([[0, 0]], np.uint8), np.array([[0, 0]], np.uint8))
    assert matrix.miou() == 1.0
    assert np.isnan(matrix.per_class_iou()[1:]).all()


def test_class_predicted_but_never_true_counts_as_zero() -> None:
    matrix = ConfusionMatrix(2)
    matrix.update(np.array([[0, 1]], np.uint8), np.array([[0, 0]], np.uint8))
    assert matrix.per_class_iou().tolist() == [0.5, 0.0]


def test_predictions_on_ignored_pixels_do_not_count() -> None:
    matrix = ConfusionMatrix(2)
    matrix.update(np.array([[0, 200]], np.uint8), np.array([[0, 255]], np.uint8))
    assert matrix.counts.tolist() == [[1, 0], [0, 0]]


def test_rows_are_targets() -> None:
    matrix = ConfusionMatrix(2)
    matrix.update(np.array([[1, 1]], np.uint8), np.array([[0, 0]], np.uint8))
    assert matrix.counts.tolist() == [[0, 2], [0, 0]]


def test_other_ignore_index() -> None:
    matrix = ConfusionMatrix(2, ignore_index=11)
    matrix.update(np.array([[0, 1]], np.uint8), np.array([[0, 11]], np.uint8))
    assert matrix.pixel_accuracy() == 1.0


def test_many_classes_do_not_overflow() -> None:
    labels = np.full((4, 4), 149, np.uint8)
    matrix = ConfusionMatrix(150)
    matrix.update(labels, labels)
    assert matrix.counts[149, 149] == 16


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
        ConfusionMatrix(2).update(np.array(prediction), np.array(target))


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        ConfusionMatrix(2).update(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))


def test_classes_of_one_name_stay_apart() -> None:
    metric = SegmentationMetric(ClassTable(("pole", "car", "pole")))
    metric.update(Segmentation(np.array([[0, 1, 2, 2]], np.uint8)), np.array([[0, 1, 2, 0]], np.uint8))
    assert metric.evaluate().per_class.values == {"pole (0)": 0.5, "car": 1.0, "pole (2)": 0.5}
