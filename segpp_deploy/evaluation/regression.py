"""Whether latency changed between two measurements by more than their samples scatter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 4000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Change:
    """The ratio of two medians, now over before, and the interval in which it lies in `CONFIDENCE` of the resamples."""

    ratio: float
    low: float
    high: float

    @property
    def is_slower(self) -> bool:
        """Whether the whole interval says so."""
        return self.low > 1

    @property
    def is_faster(self) -> bool:
        """Whether the whole interval says so."""
        return self.high < 1


def compare_samples(before: Sequence[float], now: Sequence[float], seed: int = 0) -> Change:
    """Compare the medians of two sets of milliseconds by a percentile bootstrap.

    What shifts all samples of one of the two, such as a warmer machine, no resampling can tell from a change.

    Source: Efron, "Bootstrap Methods: Another Look at the Jackknife" (1979).

    Example:
        >>> compare_samples([10.0, 10.1, 9.9, 10.0], [20.0, 20.2, 19.9, 20.1]).is_slower
        True
        >>> compare_samples([10.0, 12.0, 9.0, 11.0], [10.5, 9.5, 12.5, 11.0]).is_slower
        False
    """
    generator = np.random.default_rng(seed)
    ratios = _medians(now, generator) / _medians(before, generator)
    low, high = np.quantile(ratios, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Change(float(np.median(now) / np.median(before)), float(low), float(high))


def _medians(samples: Sequence[float], generator: np.random.Generator) -> NDArray[np.float64]:
    drawn = generator.choice(np.asarray(samples, np.float64), (RESAMPLES, len(samples)))
    return np.asarray(np.median(drawn, axis=1))
