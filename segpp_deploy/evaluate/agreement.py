"""How far two versions of a model differ on the same pictures: labels pixel by pixel, logits value by value."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LogitDifference:
    """Over all values compared; `cosine` is 1 for equal directions and NaN if one side is all zero."""

    max_abs_error: float
    rms_error: float
    cosine: float


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
        _check_shapes(reference, other)
        self._equal += int(np.count_nonzero(reference == other))
        self._total += reference.size

    def fraction(self) -> float:
        """Return the fraction in 0 .. 1, NaN if nothing was added."""
        return self._equal / self._total if self._total else math.nan


class LogitAgreement:
    """Accumulates the differences between two sets of logits (or heatmaps) in float64."""

    def __init__(self) -> None:
        self._max_abs = 0.0
        self._squared_error = 0.0
        self._dot = 0.0
        self._reference_squared = 0.0
        self._other_squared = 0.0
        self._total = 0

    def update(self, reference: NDArray[np.floating], other: NDArray[np.floating]) -> None:
        """Add one pair of equally shaped arrays; a NaN or infinity on either side shows in the result."""
        _check_shapes(reference, other)
        left = reference.ravel().astype(np.float64)
        right = other.ravel().astype(np.float64)
        with np.errstate(invalid="ignore"):  # inf - inf: the NaN is the answer
            difference = left - right
        self._max_abs = float(np.maximum(self._max_abs, np.abs(difference).max(initial=0.0)))
        self._squared_error += float(difference @ difference)
        self._dot += float(left @ right)
        self._reference_squared += float(left @ left)
        self._other_squared += float(right @ right)
        self._total += left.size

    def result(self) -> LogitDifference:
        """Return the figures over everything added; all NaN if nothing was."""
        if not self._total:
            return LogitDifference(math.nan, math.nan, math.nan)
        norms = math.sqrt(self._reference_squared) * math.sqrt(self._other_squared)
        return LogitDifference(
            max_abs_error=self._max_abs,
            rms_error=math.sqrt(self._squared_error / self._total),
            cosine=self._dot / norms if norms else math.nan,
        )


def _check_shapes(reference: NDArray[np.generic], other: NDArray[np.generic]) -> None:
    if reference.shape != other.shape:
        raise ValueError(f"shapes {reference.shape} and {other.shape} differ")
