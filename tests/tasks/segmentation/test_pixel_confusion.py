"""Counts of pixels agree with scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from segpp_deploy.tasks.segmentation.pixel_confusion import PixelConfusion
from segpp_deploy.tasks.segmentation.pixel_counts import PixelCounts
from segpp_deploy.tasks.segmentation.prediction import Segmentation
from tests.support.requirements import needs

CLASSES = 6


@needs("sklearn")
def test_against_scikit_learn() -> None:
    from sklearn.metrics import confusion_matrix, jaccard_score

    random = np.random.default_rng(0)
    confusion, counts = PixelConfusion(CLASSES), PixelCounts(CLASSES)
    every_target, every_label = [], []
    for _ in range(5):
        target = random.integers(0, CLASSES - 1, (20, 30)).astype(np.uint8)  # the last class does not occur
        labels = np.where(random.random((20, 30)) < 0.6, target, random.integers(0, CLASSES - 1, (20, 30)))
        labels = labels.astype(np.uint8)
        target[random.random((20, 30)) < 0.1] = 255
        confusion.update(Segmentation(labels), target)
        counts.update(labels, target)
        counted = target != 255
        every_target.append(target[counted])
        every_label.append(labels[counted])
    true, found = np.concatenate(every_target), np.concatenate(every_label)
    np.testing.assert_array_equal(confusion.counts(), confusion_matrix(true, found, labels=range(CLASSES)))
    iou = jaccard_score(true, found, labels=range(CLASSES - 1), average=None)
    np.testing.assert_allclose(counts.per_class_iou()[:-1], iou, atol=1e-12)
    assert np.isnan(counts.per_class_iou()[-1])
    assert counts.miou() == pytest.approx(iou.mean(), abs=1e-12)
    assert counts.pixel_accuracy() == pytest.approx((true == found).mean(), abs=1e-12)
