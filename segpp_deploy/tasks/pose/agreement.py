"""How far two versions of a pose model agree: keypoints by their distance, heatmaps value by value."""

from __future__ import annotations

import math

import numpy as np

from segpp_deploy.tasks.pose.prediction import Pose
from segpp_deploy.tasks.protocol.evaluation import Score, Unit
from segpp_deploy.tasks.protocol.outputs import OutputAgreement

SAME_WITHIN_PX = 1.0
"""Keypoints of two models that lie no further apart, in the picture, are the same."""


class PoseAgreement:
    """Compares keypoints, and heatmaps where both engines put out such of the same grid."""

    def __init__(self, *, with_heatmaps: bool) -> None:
        self._with_heatmaps = with_heatmaps
        self._heatmaps = OutputAgreement()
        self._same = 0
        self._total = 0
        self._distance = 0.0

    def update(self, reference: Pose, other: Pose) -> None:
        """Add one person."""
        distance = np.linalg.norm(reference.points - other.points, axis=1)
        self._same += int(np.count_nonzero(distance <= SAME_WITHIN_PX))
        self._distance += float(distance.sum())
        self._total += len(distance)
        if self._with_heatmaps and reference.outputs:  # a kept reference has none
            for theirs, ours in zip(reference.outputs, other.outputs, strict=True):
                self._heatmaps.update(theirs, ours)

    def scores(self) -> tuple[Score, ...]:
        """Return the fraction of keypoints in the same place, their mean distance, and the largest heatmap error."""
        total = self._total or math.nan
        return (
            Score("keypoint agreement", self._same / total),
            Score("mean distance", self._distance / total, Unit.PIXELS),
            Score("max abs heatmap error", self._heatmaps.result().max_abs_error, Unit.OUTPUT),
        )
