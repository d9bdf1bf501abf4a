"""What a pose model is judged by: PCK where keypoints are labelled, and COCO's AP where a file allows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import ClassTable
from segpp_deploy.data.datasets.keypoints import Keypoints
from segpp_deploy.errors import some_names
from segpp_deploy.tasks.pose.average_precision import INSTALL, AveragePrecision, has_library, require_library
from segpp_deploy.tasks.pose.prediction import Pose
from segpp_deploy.tasks.protocol.chance import NEAR_CHANCE, kappa
from segpp_deploy.tasks.protocol.evaluation import Evaluation, PerClass, Score

THRESHOLDS = (0.1, 0.05)
"""Of the longer side of the person's box; the first gives the headline."""

ENOUGH_LABELS = 20
"""Of fewer labelled keypoints nobody can tell whether they are found by chance."""


class PoseMetric:
    """PCK, which is the headline, and AP; of a detector's boxes, whose persons have no labels, AP alone."""

    def __init__(self, classes: ClassTable) -> None:
        self._pck = PckMetric(classes)
        self._precision = AveragePrecision()

    def update(self, prediction: Pose, target: Keypoints) -> None:
        """Add one person.

        Raises:
            SegppError: only AP can judge it, and pycocotools is not installed.
        """
        if target.entry is not None:
            if not target.is_labelled.any():
                require_library()
            self._precision.update(prediction, target.entry)
        self._pck.update(prediction, target)

    def evaluate(self) -> Evaluation:
        """Return all scores; PCK@0.1 is the headline where anything is labelled."""
        pck = self._pck.evaluate()
        if pck.headline.is_number and not has_library():
            note = (f"No AP: pycocotools is not installed ({INSTALL}).",) if self._precision.is_possible else ()
            return replace(pck, notes=(*pck.notes, *note))
        precision, notes = self._precision.scores(), (*pck.notes, *self._precision.notes())
        if precision and not pck.headline.is_number:
            return replace(pck, headline=precision[0], further=precision[1:], notes=notes)
        return replace(pck, further=(*pck.further, *precision), notes=notes)


class PckMetric:
    """Counts keypoints found, strictly within a threshold, by keypoint; keypoints without a label do not count.

    The score is the mean over keypoints of the mean over persons, as in mmpose; a keypoint that nobody labelled is left
    out.
    """

    def __init__(self, classes: ClassTable) -> None:
        self._classes = classes
        self._found = np.zeros((len(THRESHOLDS), len(classes)), np.int64)
        self._near = np.zeros((len(classes), len(classes)), np.int64)  # as in KeypointConfusion
        self._labelled = np.zeros(len(classes), np.int64)
        self._persons = 0

    def update(self, prediction: Pose, target: Keypoints) -> None:
        """Add one person."""
        distance = _distances(prediction, target)
        for row, threshold in enumerate(THRESHOLDS):
            self._found[row] += target.is_labelled & (np.diag(distance) < threshold)
        self._near += _near(distance, target)
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
        per_class = PerClass(scores[0].name, named)
        return Evaluation(scores[0], scores[1:], per_class, self._persons, self._notes(), self._warnings())

    def _notes(self) -> tuple[str, ...]:
        missing = [name for name, count in zip(self._classes.distinct_names, self._labelled, strict=True) if not count]
        return (f"Nobody labelled: {some_names(missing)}.",) if missing and self._labelled.any() else ()

    def _warnings(self) -> tuple[str, ...]:
        """Compare each keypoint with its own label and with those of the others: of those it is near by chance."""
        labelled, count = self._labelled.sum(), len(self._classes)
        if labelled < ENOUGH_LABELS or count == 1:
            return ()
        right = float(np.trace(self._near) / labelled)
        by_chance = float((self._near.sum() - np.trace(self._near)) / (labelled * (count - 1)))
        if not kappa(right, by_chance) < NEAR_CHANCE:
            return ()
        return (
            f"Near chance: {100 * right:.1f} % of the keypoints are near their own label, {100 * by_chance:.1f} % near "
            "that of another keypoint. Labels or normalisation do not fit. Likely causes: keypoints in another order "
            "than the model's; points or boxes that are not in pixels of the upright picture (EXIF); another mean, "
            "deviation or channel order than in training; weights that were not trained for these keypoints.",
        )

    def _by_keypoint(self, row: int) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore"):
            share: NDArray[np.float64] = np.true_divide(self._found[row], self._labelled)
        return share


def _mean(values: NDArray[np.float64]) -> float:
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if counted.size else float("nan")


class KeypointConfusion:
    """Counts keypoints found within a tenth of the person's size of a label, [K, K]: rows are labels."""

    def __init__(self, count: int) -> None:
        self._near = np.zeros((count, count), np.int64)

    def update(self, prediction: Pose, target: Keypoints) -> None:
        """Add one person."""
        self._near += _near(_distances(prediction, target), target)

    def counts(self) -> NDArray[np.int64]:
        """Return the counts."""
        return self._near


def is_missed(prediction: Pose, target: Keypoints) -> NDArray[np.bool_]:
    """Return which keypoints [K] are labelled and not found within a tenth of the person's size."""
    return np.asarray(target.is_labelled & ~(np.diag(_distances(prediction, target)) < THRESHOLDS[0]))


def _near(distance: NDArray[np.floating], target: Keypoints) -> NDArray[np.bool_]:
    """Whether [K, K] a labelled keypoint has each predicted one within a tenth of the person's size."""
    return np.asarray(target.is_labelled[:, None] & (distance < THRESHOLDS[0]))


def _distances(prediction: Pose, target: Keypoints) -> NDArray[np.floating]:
    """Distances [K, K] by (labelled, predicted), as shares of the person's size."""
    offsets = target.points[:, None] - prediction.points[None]
    return np.asarray(np.linalg.norm(offsets, axis=2) / target.person_px)
