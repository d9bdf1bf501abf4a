"""Scores that are near chance: a model that knows nothing would reach them too."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NEAR_CHANCE = 0.1
"""Cohen's kappa: 0 where answers and truth have nothing to do with each other, 1 where they are the same."""


def kappa(right: float, by_chance: float) -> float:
    """Return how far a share of right answers lies above that of chance, NaN where chance is always right.

    Source: Cohen, "A Coefficient of Agreement for Nominal Scales", 1960.

    Example:
        >>> kappa(0.75, 0.5)
        0.5
    """
    return (right - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")


def chance_of(expected: NDArray[np.int64], answered: NDArray[np.int64]) -> float:
    """Return the share that would be right if answers were dealt out anew.

    Args:
        expected: how often each thing is true, [K].
        answered: how often each is the answer, [K].

    Example:
        >>> chance_of(np.array([2, 2]), np.array([1, 3]))
        0.5
    """
    return float((expected / expected.sum()) @ (answered / answered.sum()))
