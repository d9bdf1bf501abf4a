"""How far two versions of a model agree on the same pictures: labels pixel by pixel, logits value by value."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.tasks.protocol.evaluation import Score, Unit
from segpp_deploy.tasks.protocol.outputs import OutputAgreement, require_same_shape
from segpp_deploy.tasks.segmentation.prediction import Segmentation


class PixelAgreement:
    """Accumulates the fraction of pixels to which two label maps give the same class.

    Example:
        >>> agreement = PixelAgreement()
        >>> agreement.update(np.array([[1, 2]]), np.array([[1, 3]]))
        >>> agreement.fraction()
        0.5
    """

    def __init__(self) -> None:
        self._equal = 0
        self._total = 0

    def update(self, reference: NDArray[np.integer], other: NDArray[np.integer]) -> None:
        """Add one pair of label maps [H, W]."""
        require_same_shape(reference, other)
        self._equal += int(np.count_nonzero(reference == other))
        self._total += reference.size

    def merge(self, other: PixelAgreement) -> None:
        """Add what another one counted."""
        self._equal += other._equal
        self._total += other._total

    def fraction(self) -> float:
        """Return the fraction in 0 .. 1, NaN if nothing was added."""
        return self._equal / self._total if self._total else math.nan


class SegmentationAgreement:
    """Compares labels, and logits where both engines put out such of the same grid."""

    def __init__(self, *, with_logits: bool) -> None:
        self._pixels = PixelAgreement()
        self._logits = OutputAgreement()
        self._with_logits = with_logits

    def update(self, reference: Segmentation, other: Segmentation) -> None:
        """Add one picture."""
        self._pixels.update(reference.labels, other.labels)
        if self._with_logits and reference.outputs:  # a kept reference has none
            for theirs, ours in zip(reference.outputs, other.outputs, strict=True):
                self._logits.update(theirs, ours)

    def merge(self, other: SegmentationAgreement) -> None:
        """Add what another one found."""
        self._pixels.merge(other._pixels)
        self._logits.merge(other._logits)

    def scores(self) -> tuple[Score, ...]:
        """Return the fraction of pixels with the same class, and the largest logit error."""
        return (
            Score("pixel agreement", self._pixels.fraction()),
            Score("max abs logit error", self._logits.result().max_abs_error, Unit.OUTPUT),
        )
