"""How far the raw outputs of two versions of a model differ: logits or heatmaps, value by value."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import OutputKind
from segpp_deploy.graph.metadata import ExportMetadata


@dataclass(frozen=True)
class OutputDifference:
    """Over all values compared.

    Args:
        max_abs_error: the largest.
        rms_error: root of the mean square.
        relative_error: the same as a share of the reference's own; NaN if that is all zero.
        cosine: 1 for equal directions, NaN if one side is all zero.
    """

    max_abs_error: float
    rms_error: float
    relative_error: float
    cosine: float


class OutputAgreement:
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
        require_same_shape(reference, other)
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

    def merge(self, other: OutputAgreement) -> None:
        """Add what another one added up: the largest difference exactly, the sums as far as floats add up."""
        self._max_abs = float(np.maximum(self._max_abs, other._max_abs))
        self._squared_error += other._squared_error
        self._dot += other._dot
        self._reference_squared += other._reference_squared
        self._other_squared += other._other_squared
        self._total += other._total

    def result(self) -> OutputDifference:
        """Return the figures over everything added; all NaN if nothing was."""
        if not self._total:
            return OutputDifference(math.nan, math.nan, math.nan, math.nan)
        norms = math.sqrt(self._reference_squared) * math.sqrt(self._other_squared)
        return OutputDifference(
            max_abs_error=self._max_abs,
            rms_error=math.sqrt(self._squared_error / self._total),
            relative_error=math.sqrt(self._squared_error / own) if (own := self._reference_squared) else math.nan,
            cosine=self._dot / norms if norms else math.nan,
        )


def are_comparable(one: ExportMetadata, other: ExportMetadata) -> bool:
    """Whether two engines put out the same kind of floats on the same grid."""
    same_grid = (one.size, one.output_stride) == (other.size, other.output_stride)
    are_maps = one.output_kind in (OutputKind.LOGITS, OutputKind.HEATMAPS)
    return same_grid and one.output_kind is other.output_kind and are_maps


def require_same_shape(reference: NDArray[np.generic], other: NDArray[np.generic]) -> None:
    """Raise a `ValueError` where two arrays differ in shape."""
    if reference.shape != other.shape:
        raise ValueError(f"shapes {reference.shape} and {other.shape} differ")
