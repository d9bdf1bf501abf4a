"""PCK: the share of keypoints found within a fraction of the person's size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import ClassTable
from segpp_deploy.data.datasets.keypoints import Keypoints
from segpp_deploy.tasks.pose.prediction import Pose
from segpp_deploy.tasks.protocol.evaluation import Evaluation, PerClass, Score

THRESHOLDS = (0.1, 0.05)
"""Of the longer side of the person's box; the first gives the headline."""


class PckMetric:
    """Counts keypoints found, strictly within a threshold, by keypoint; keypoints without a label do not count.

    The score is the mean over keypoints of the mean over persons, as in mmpose; a keypoint that nobody labelled is left
    out.
    """

    def __init__(self, classes: ClassTable) -> None:
        self._classes = classes
        self._found = np.zeros((len(THRESHOLDS), len(classes)), np.int64)
        self._labelled = np.zeros(len(classes), np.int64)
        self._persons = 0

    def update(self, prediction: Pose, target: Keypoints) -> None:
        """Add one person."""
        distance = np.linalg.norm(prediction.points - target.points, axis=1) / target.person_px
        for row, threshold in enumerate(THRESHOLDS):
            self._found[row] += target.is_labelled & (distance < threshold)
        self._labelled += target.is_labelled
        self._persons += 1

    def evaluate(self) -> Evaluation:
        """Return PCK at both thresholds, and by keypoint at the first."""
        by_keypoint = [self._by_keypoint(row) for row in range(len(THRESHOLDS))]
        scores = tuple(
            Score(f"PCK@{threshold:g}", _mean(values))
            for threshold, values in zip(THRESHOLDS, by_keypoint, strict=True)
        )
        named = dict(zip(self._classes.distinct_names, by_keypoint[0].tolist(), strict=True))
        return Evaluation(scores[0], scores[1:], PerClass(scores[0].name, named), self._persons)

    def _by_keypoint(self, row: int) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            share: NDArray[np.float64] = np.true_divide(self._found[row], self._labelled)
        return share


def _mean(values: NDArray[np.float64]) -> float:
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if counted.size else float("nan")
