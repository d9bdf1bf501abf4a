"""Boundary IoU: the IoU of what lies near the edges of regions, which large regions do not outweigh.

Source: Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation" (CVPR 2021).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.label_maps import LabelMap, ignore_index

_OUTSIDE = -1.0


class BoundaryCounts:
    """Counts, for each class, pixels of it near the edge of a region: true ones, predicted ones, and both.

    Args:
        num_classes: of the model.
        distance_px: how near, along both axes. The picture's border is an edge, as in the published evaluation.
    """

    def __init__(self, num_classes: int, distance_px: int) -> None:
        self._num_classes = num_classes
        self._distance_px = distance_px
        self._expected, self._predicted, self._both = np.zeros((3, num_classes), np.int64)

    def update(self, labels: LabelMap, target: LabelMap) -> None:
        """Add one picture: predicted and true labels [H, W]; where the target is ignored, nothing counts."""
        counted = target != ignore_index(self._num_classes)
        near_target, near_labels = (near_edges(one, self._distance_px) & counted for one in (target, labels))
        both = near_target & near_labels & (labels == target)
        for total, values in (
            (self._expected, target[near_target]),
            (self._predicted, labels[near_labels]),
            (self._both, target[both]),
        ):
            total += np.bincount(values, minlength=self._num_classes)

    def merge(self, other: BoundaryCounts) -> None:
        """Add what another one counted."""
        self._expected += other._expected
        self._predicted += other._predicted
        self._both += other._both

    def mean_iou(self) -> float:
        """Return the mean over the classes that occur near an edge, NaN if none does."""
        union = self._expected + self._predicted - self._both
        occurs = union > 0
        return float((self._both[occurs] / union[occurs]).mean()) if occurs.any() else float("nan")


def near_edges(labels: LabelMap, distance_px: int) -> NDArray[np.bool_]:
    """Return which pixels [H, W] have a pixel of another label, or the border, within a distance along both axes."""
    kernel = np.ones((2 * distance_px + 1,) * 2, np.uint8)
    values = labels.astype(np.float32)
    lowest = cv2.erode(values, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=_OUTSIDE)
    highest = cv2.dilate(values, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=_OUTSIDE)
    return np.asarray((lowest != values) | (highest != values))
