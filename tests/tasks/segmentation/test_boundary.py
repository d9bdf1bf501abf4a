"""Boundary IoU agrees with the published way to compute it, class by class."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from segpp_deploy.config import default_class_table
from segpp_deploy.tasks.segmentation.boundary import BoundaryCounts, near_edges
from segpp_deploy.tasks.segmentation.metric import SegmentationMetric
from segpp_deploy.tasks.segmentation.prediction import Segmentation

CLASSES = 4


def published_band(mask: np.ndarray, distance: int) -> np.ndarray:
    """The mask without what is left of it after `distance` erosions, with the outside of the picture as no mask."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=distance)[1:-1, 1:-1]
    return mask & (inner == 0)


def blobs(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).random((CLASSES, 60, 80)).astype(np.float32)
    return np.stack([cv2.GaussianBlur(plane, (0, 0), 5) for plane in noise]).argmax(axis=0).astype(np.uint8)


@pytest.mark.parametrize("distance", [1, 2, 5])
def test_bands(distance: int) -> None:
    labels = blobs(distance)
    expected = np.zeros(labels.shape, bool)
    for index in range(CLASSES):
        expected |= published_band(labels == index, distance)
    np.testing.assert_array_equal(near_edges(labels, distance), expected)


@pytest.mark.parametrize("distance", [1, 3])
def test_boundary_iou(distance: int) -> None:
    counts = BoundaryCounts(CLASSES, distance)
    both, either = np.zeros((2, CLASSES))
    for seed in range(3):
        target = blobs(seed)
        labels = np.roll(target, 2, axis=1)
        counts.update(labels, target)
        for index in range(CLASSES):
            true, found = published_band(target == index, distance), published_band(labels == index, distance)
            both[index] += (true & found).sum()
            either[index] += (true | found).sum()
    assert counts.mean_iou() == pytest.approx((both / either).mean())
    assert 0.1 < counts.mean_iou() < 0.9


def test_what_does_not_count() -> None:
    counts = BoundaryCounts(CLASSES, 2)
    assert np.isnan(counts.mean_iou())
    counts.update(blobs(0), np.full((60, 80), 255, np.uint8))
    assert np.isnan(counts.mean_iou())


def test_the_metric_tells_it_where_asked() -> None:
    target = blobs(0)
    metric = SegmentationMetric(default_class_table(CLASSES), 3)
    metric.update(Segmentation(target), target)
    found = {score.key: score.value for score in metric.evaluate().scores}
    assert found == {"miou": 1, "pixel_accuracy": 1, "boundary_iou_3px": 1}
