"""Counts of pixels by class, from which scores and doubts are made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.label_maps import ignore_index


class PixelCounts:
    """Counts, for each class, pixels that are of it, that were predicted so, and that are both, or next to each other.

    IoU of a class is its intersection over its union of prediction and target, over all images together. A class
    that occurs in neither has no IoU (NaN) and is left out of the mean, as in mmsegmentation. A whole confusion matrix
    would say no more of that, and have the square of thousands of classes to hold. `one_lower` and `one_higher` count
    pixels whose prediction is the class before, or after, the expected one.

    Example:
        >>> counts = PixelCounts(3)
        >>> counts.update(np.array([[0, 0, 1]], np.uint8), np.array([[0, 1, 1]], np.uint8))
        >>> counts.per_class_iou().tolist(), counts.miou()
        ([0.5, 0.5, nan], 0.5)
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.expected, self.predicted, self.correct = np.zeros((3, num_classes), np.int64)
        self.one_lower = self.one_higher = 0
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
        counted = target != ignore_index(self.num_classes)
        predicted, expected = prediction[counted], target[counted]
        for kind, values in (("prediction", predicted), ("target", expected)):
            if values.size and not (values.min() >= 0 and values.max() < self.num_classes):
                raise ValueError(
                    f"{kind} holds {values.min()} .. {values.max()}; classes are 0 .. {self.num_classes - 1}"
                )
        correct = expected[expected == predicted]
        for total, values in ((self.expected, expected), (self.predicted, predicted), (self.correct, correct)):
            total += np.bincount(values, minlength=self.num_classes)
        difference = predicted.astype(np.int32) - expected
        self.one_lower += int(np.count_nonzero(difference == -1))
        self.one_higher += int(np.count_nonzero(difference == 1))
        self.images += 1

    def merge(self, other: PixelCounts) -> None:
        """Add what another one counted."""
        self.expected += other.expected
        self.predicted += other.predicted
        self.correct += other.correct
        self.one_lower += other.one_lower
        self.one_higher += other.one_higher
        self.images += other.images

    def per_class_iou(self) -> NDArray[np.float64]:
        """Return IoU [K], NaN for classes that occur neither in a prediction nor in a target."""
        return _divide(self.correct, self.expected + self.predicted - self.correct)

    def miou(self) -> float:
        """Return the mean IoU of the classes that occur, NaN if none does."""
        iou = self.per_class_iou()
        occurring = iou[~np.isnan(iou)]
        return float(occurring.mean()) if occurring.size else float("nan")

    def pixel_accuracy(self) -> float:
        """Return the fraction of counted pixels predicted right, NaN if none was counted."""
        return float(_divide(self.correct.sum(), self.expected.sum()))


def _divide(numerator: NDArray[np.int64], denominator: NDArray[np.int64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient: NDArray[np.float64] = np.true_divide(numerator, denominator)
    return quotient
