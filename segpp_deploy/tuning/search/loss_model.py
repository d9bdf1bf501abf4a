"""How many points a candidate will lose, by what it leaves out: a sum over sides, input and engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.model.plan import BsmMerge, SideMerge
from segpp_deploy.tuning.search.candidate import Candidate, EngineKind

NOISE = 0.05
"""Points by which a loss on all pictures departs from such a sum; on a part of them it departs by more."""

NOISE_OF_A_PART = 0.3
COEFFICIENT = 1.0
"""By so many points what leaving out costs may differ from what is believed before trials."""

_NUM_SIDES = 8  # queries and keys/values of four stages
_POOLED, _MOSTLY_POOLED, _MATCHED, _MOSTLY_MATCHED, _WEIGHTED, _MOSTLY_WEIGHTED = 0.0, 0.5, 0.0, 0.3, 0.0, 0.0
_PIXELS, _PIXELS_SQUARED = 4.0, 4.0
"""Points that leaving everything out of one side, or all pixels, is believed to cost before trials."""

Vector = NDArray[np.float64]


class LossModel:
    """Predicts points lost; of merging that no trial has shown yet it expects little bad, so that it will be shown.

    Least squares near what is believed before, known as ridge regression; one coefficient for each stage, side and way
    of merging.

    Args:
        pixels: of the full input.
        engines: what may compute.
    """

    def __init__(self, pixels: int, engines: tuple[EngineKind, ...]) -> None:
        self._pixels = pixels
        self._engines = engines
        self._rows: list[Vector] = []
        self._losses: list[float] = []
        sides = _NUM_SIDES * (_POOLED, _MOSTLY_POOLED, _MATCHED, _MOSTLY_MATCHED, _WEIGHTED, _MOSTLY_WEIGHTED)
        self._believed = np.array([*sides, _PIXELS, _PIXELS_SQUARED, *(0.0 for _ in engines)])
        self._coefficients = self._believed

    def learn(self, candidate: Candidate, loss: float, *, is_complete: bool) -> None:
        """Take note of a loss, on all pictures or on a part of them."""
        noise = NOISE if is_complete else NOISE_OF_A_PART
        self._rows.append(self._features(candidate) / noise)
        self._losses.append(loss / noise)
        rows = np.array(self._rows)
        matrix = rows.T @ rows + np.eye(rows.shape[1]) / COEFFICIENT**2
        unexplained = np.array(self._losses) - rows @ self._believed
        self._coefficients = self._believed + np.linalg.solve(matrix, rows.T @ unexplained)

    def predict(self, candidate: Candidate) -> float:
        """Return the points that a candidate is expected to lose."""
        return float(self._features(candidate) @ self._coefficients)

    def _features(self, candidate: Candidate) -> Vector:
        """Return the share of tokens left out by stage, side and way, of pixels left out, and which engine it is."""
        stages, (height, width), _, engine = candidate.key
        left_out = 1 - height * width / self._pixels
        shares = [share for stage in stages for side in (stage.q, stage.kv) for share in _shares(side)]
        return np.array([*shares, left_out, left_out**2, *(engine == kind for kind in self._engines)], dtype=float)


def _shares(side: SideMerge) -> tuple[float, ...]:
    """Return the share of tokens that a side leaves out, in the place of its way of merging, and zeros elsewhere.

    Each way has two places: matching costs little at first, for it begins with the most similar tokens, and averages
    over small cells cost little too.
    """
    pooled, plain, weighted = 0.0, 0.0, 0.0
    if side is not None:
        share = 1 - side.num_rows / (side.grid_hw[0] * side.grid_hw[1])
        if not isinstance(side, BsmMerge):
            pooled = share
        elif side.weighted:
            weighted = share
        else:
            plain = share
    return pooled, pooled**8, plain, plain**4, weighted, weighted**4
