"""Mean intersection over union and its parts, from one confusion matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import ClassTable
from segpp_deploy.data.datasets.labels import IGNORE_INDEX
from segpp_deploy.data.images import ByteImage
from segpp_deploy.tasks.protocol.evaluation import Evaluation, PerClass, Score
from segpp_deploy.tasks.segmentation.doubts import find_doubts, missing_classes
from segpp_deploy.tasks.segmentation.prediction import Segmentation


class SegmentationMetric:
    """Mean intersection over union; `ConfusionMatrix` says how classes that do not occur are treated."""

    def __init__(self, classes: ClassTable) -> None:
        self._classes = classes
        self._matrix = ConfusionMatrix(len(classes))

    def update(self, prediction: Segmentation, target: ByteImage) -> None:
        """Add one picture and its labels uint8 [H, W]."""
        self._matrix.update(prediction.labels, target)

    def evaluate(self) -> Evaluation:
        """Return mIoU, the accuracy of pixels, and the IoU of each class."""
        matrix, classes = self._matrix, self._classes
        iou = dict(zip(classes.distinct_names, matrix.per_class_iou().tolist(), strict=True))
        return Evaluation(
            headline=Score("mIoU", matrix.miou()),
            further=(Score("pixel accuracy", matrix.pixel_accuracy()),),
            per_class=PerClass("IoU", iou),
            samples=matrix.images,
            notes=missing_classes(matrix.counts, classes),
            warnings=find_doubts(matrix.counts, classes),
        )


class ConfusionMatrix:
    """Counts pixels by (target class, predicted class).

    IoU of a class is its intersection over its union of prediction and target, over all images together. A class
    that occurs in neither has no IoU (NaN) and is left out of the mean, as in mmsegmentation.

    Example:
        >>> matrix = ConfusionMatrix(3)
        >>> matrix.update(np.array([[0, 0, 1]], np.uint8), np.array([[0, 1, 1]], np.uint8))
        >>> matrix.per_class_iou().tolist(), matrix.miou()
        ([0.5, 0.5, nan], 0.5)
    """

    def __init__(self, num_classes: int, ignore_index: int = IGNORE_INDEX) -> None:
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.counts: NDArray[np.int64] = np.zeros((num_classes, num_classes), np.int64)
        self.images = 0

    def update(self, prediction: NDArray[np.integer], target: NDArray[np.integer]) -> None:
        """Add one image.

        Args:
            prediction: integers [H, W], each a class.
            target: integers [H, W], each a class or `ignore_index`; ignored pixels are not counted, whatever is
                predicted there.

        Raises:
            ValueError: the shapes differ, or a counted value is not a class.
        """
        if prediction.shape != target.shape:
            raise ValueError(f"prediction {prediction.shape} and target {target.shape} differ in shape")
        counted = target != self.ignore_index
        predicted = prediction[counted].astype(np.int64)
        expected = target[counted].astype(np.int64)
        for kind, values in (("prediction", predicted), ("target", expected)):
            if values.size and not (values.min() >= 0 and values.max() < self.num_classes):
                raise ValueError(
                    f"{kind} holds {values.min()} .. {values.max()}; classes are 0 .. {self.num_classes - 1}"
                )
        cells = np.bincount(expected * self.num_classes + predicted, minlength=self.num_classes**2)
        self.counts += cells.reshape(self.counts.shape)
        self.images += 1

    def per_class_iou(self) -> NDArray[np.float64]:
        """Return IoU [K], NaN for classes that occur neither in a prediction nor in a target."""
        intersection = np.diag(self.counts)
        return _divide(intersection, self.counts.sum(axis=0) + self.counts.sum(axis=1) - intersection)

    def miou(self) -> float:
        """Return the mean IoU of the classes that occur, NaN if none does."""
        iou = self.per_class_iou()
        occurring = iou[~np.isnan(iou)]
        return float(occurring.mean()) if occurring.size else float("nan")

    def pixel_accuracy(self) -> float:
        """Return the fraction of counted pixels predicted right, NaN if none was counted."""
        return float(_divide(np.trace(self.counts), self.counts.sum()))


def _divide(numerator: NDArray[np.int64], denominator: NDArray[np.int64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient: NDArray[np.float64] = np.true_divide(numerator, denominator)
    return quotient
