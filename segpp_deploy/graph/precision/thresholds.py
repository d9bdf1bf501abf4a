"""From the values a tensor took to the largest one that INT8 represents.

The values are counted in bins of equal width whose edges are known beforehand, so the counts are whole numbers that do
not depend on the order of the images. ONNX Runtime's calibrators let the first image choose the bins, hold the outputs
of all images at once, and have no squared error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import CalibrationMethod
from segpp_deploy.graph.precision.qdq import LARGEST_INT8

BINS = 8192
PERCENTILE = 99.99

_FINEST_EDGE = 128  # with fewer bins per threshold, a bin would be wider than a step of INT8
_CANDIDATES = 160
_ENTROPY_BINS = 2048
_ENTROPY_LEVELS = 128
_ENTROPY_STRIDE = 8

Counts = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


class AbsHistogram:
    """Counts of absolute values in `BINS` bins from 0 to `max_abs`; its size does not grow with what is added.

    Example:
        >>> histogram = AbsHistogram(2.0)
        >>> histogram.add(np.float32([-2.0, 0.1, 1.9]))
        >>> int(histogram.counts.sum()), histogram.threshold(CalibrationMethod.MAX)
        (3, 2.0)
    """

    def __init__(self, max_abs: float) -> None:
        self.max_abs = max_abs
        self.counts: Counts = np.zeros(BINS, np.int64)

    def add(self, values: NDArray[np.float32]) -> None:
        """Count finite values; those above `max_abs` go into the last bin."""
        if self.max_abs <= 0:
            self.counts[0] += values.size
            return
        scaled = np.abs(values, dtype=np.float32).ravel()
        scaled *= np.float32(BINS / self.max_abs)
        np.minimum(scaled, BINS - 1, out=scaled)
        self.counts += np.bincount(scaled.astype(np.int32), minlength=BINS)

    def threshold(self, method: CalibrationMethod) -> float:
        """Return the clipping threshold, at most `max_abs`; 0 if there was nothing but zeros."""
        if self.max_abs <= 0:
            return 0.0
        return self.max_abs * _LAST_EDGES[method](self.counts) / BINS


def _keep_all(counts: Counts) -> float:
    return BINS


def _percentile_edge(counts: Counts) -> float:
    """Return the first edge below which `PERCENTILE` percent of the values lie."""
    cumulative = np.cumsum(counts)
    return int(np.searchsorted(cumulative, cumulative[-1] * (PERCENTILE / 100.0))) + 1


def _mse_edge(counts: Counts) -> float:
    """Return the edge with the smallest mean squared error of rounding and clipping."""
    edges = np.unique(np.geomspace(_FINEST_EDGE, BINS, _CANDIDATES).round()).tolist()
    centres = np.arange(BINS) + 0.5
    occupied = np.flatnonzero(counts)
    values, weights = centres[occupied], counts[occupied].astype(np.float64)
    errors = [float(np.dot(weights, (_rounded(values, edge) - values) ** 2)) for edge in edges]
    return float(edges[int(np.argmin(errors))])


def _rounded(values: Floats, edge: float) -> Floats:
    step = edge / LARGEST_INT8
    rounded: Floats = np.minimum(np.rint(values / step), LARGEST_INT8) * step
    return rounded


def _entropy_edge(counts: Counts) -> float:
    """Return the edge that loses the least information (S. Migacz, 8-bit inference with TensorRT, 2017)."""
    width = BINS // _ENTROPY_BINS
    coarse = counts.reshape(_ENTROPY_BINS, width).sum(axis=1)
    coarse[0] = coarse[1]  # exact zeros, of which ReLU makes many, are represented whatever the threshold
    if not coarse.any():
        return BINS
    edges = range(_ENTROPY_LEVELS, _ENTROPY_BINS + 1, _ENTROPY_STRIDE)
    losses = [_information_loss(coarse, edge) for edge in edges]
    return float(edges[int(np.argmin(losses))] * width)


def _information_loss(counts: Counts, edge: int) -> float:
    """Return the divergence of the clipped distribution from itself on `_ENTROPY_LEVELS` levels."""
    inside = counts[:edge].astype(np.float64)
    reference = inside.copy()
    reference[-1] += counts[edge:].sum()
    starts = np.arange(_ENTROPY_LEVELS) * edge // _ENTROPY_LEVELS
    lengths = np.diff(starts, append=edge)
    occupied = (reference > 0).astype(np.float64)
    sums, shares = np.add.reduceat(inside, starts), np.add.reduceat(occupied, starts)
    levels = np.repeat(np.divide(sums, shares, out=np.zeros_like(sums), where=shares > 0), lengths) * occupied
    if not levels.any():
        return float("inf")
    return _divergence(reference / reference.sum(), levels / levels.sum())


def _divergence(reference: Floats, levels: Floats) -> float:
    present = reference > 0
    floor = 1e-12  # where clipped values alone fill a bin, the quantised distribution has nothing
    ratio = reference[present] / np.maximum(levels[present], floor)
    return float(np.dot(reference[present], np.log(ratio)))


_LAST_EDGES: dict[CalibrationMethod, Callable[[Counts], float]] = {
    CalibrationMethod.MAX: _keep_all,
    CalibrationMethod.PERCENTILE: _percentile_edge,
    CalibrationMethod.MSE: _mse_edge,
    CalibrationMethod.ENTROPY: _entropy_edge,
}
