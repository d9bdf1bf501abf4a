"""How long a candidate takes, from the work it does: one factor for each part of it, fitted to what was measured."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import Lowering
from segpp_deploy.model.segformer import ModelSpec
from segpp_deploy.model.work import Part, network_kernels
from segpp_deploy.tuning.search.candidate import Candidate, EngineKind
from segpp_deploy.tuning.search.peaks import CPU, LAUNCH_OVERHEAD_S, Peaks

PRIOR_WEIGHT = 0.02
"""How much a factor's distance from the others counts beside one measurement's error."""

FIRST_ERROR, LEAST_ERROR, MOST_ERROR = 0.3, 0.05, 0.6
"""Relative errors of predictions: assumed before there are any, and never believed to be less, or more."""

_REMEMBERED = 12  # the last predictions say how good the next will be

Vector = NDArray[np.float64]


class CostModel:
    """Predicts milliseconds of a network's candidates.

    The roofline time of each part (matching, merging, attention, restoring, the rest) on a processor's peaks is
    multiplied by a factor of the engine's: least squares over relative errors, near the common factor, none negative.

    Args:
        spec: the network.
        peaks: of the processor.
        lowering: of the graphs.
    """

    def __init__(self, spec: ModelSpec, peaks: Peaks = CPU, lowering: Lowering = Lowering.PORTABLE) -> None:
        self._spec = spec
        self._peaks = peaks
        self._lowering = lowering
        self._measured: dict[EngineKind, list[tuple[Vector, float]]] = defaultdict(list)
        self._factors: dict[EngineKind, Vector] = {}  # until more is learnt
        self._errors: list[float] = []

    def roofline_ms(self, candidate: Candidate) -> float:
        """Return what the peaks allow, launches included."""
        return float(self._parts(candidate).sum())

    def predict_ms(self, candidate: Candidate) -> float:
        """Return what is expected of a candidate after what was measured of its engine."""
        return float(self._parts(candidate) @ self.factors(candidate.engine))

    def factors(self, engine: EngineKind) -> Vector:
        """Return the factor of each `Part`; all 1 where nothing was measured."""
        if engine not in self._factors:
            self._factors[engine] = self._fit_factors(engine)
        return self._factors[engine]

    def _fit_factors(self, engine: EngineKind) -> Vector:
        measured = self._measured[engine]
        if not measured:
            return np.ones(len(Part))
        scale = float(np.median([milliseconds / parts.sum() for parts, milliseconds in measured]))
        rows = np.array([parts * scale / milliseconds for parts, milliseconds in measured])
        return scale * _fit(rows, PRIOR_WEIGHT)

    def learn(self, candidate: Candidate, milliseconds: float) -> None:
        """Take note of a measured latency."""
        if self._measured[candidate.engine]:
            self._errors.append(abs(self.predict_ms(candidate) / milliseconds - 1))
        self._measured[candidate.engine].append((self._parts(candidate), milliseconds))
        self._factors.pop(candidate.engine, None)

    @property
    def error(self) -> float:
        """The relative error that three quarters of the last predictions kept within."""
        if len(self._errors) < 3:
            return FIRST_ERROR
        return float(np.clip(np.percentile(self._errors[-_REMEMBERED:], 75), LEAST_ERROR, MOST_ERROR))

    def _parts(self, candidate: Candidate) -> Vector:
        return _part_milliseconds(self._spec, candidate, self._peaks, self._lowering)


@lru_cache(maxsize=4096)
def _part_milliseconds(spec: ModelSpec, candidate: Candidate, peaks: Peaks, lowering: Lowering) -> Vector:
    """Return the roofline time of each `Part` in ms; what runs plugins fuses attention and pays for launches."""
    is_gpu = lowering is Lowering.PLUGIN
    times = dict.fromkeys(Part, 0.0)
    for kernel in network_kernels(spec, candidate.plan, candidate.size.hw, fused=is_gpu, lowering=lowering):
        times[kernel.part] += 1e3 * (peaks.seconds(kernel) + LAUNCH_OVERHEAD_S * kernel.launches * is_gpu)
    return np.array(list(times.values()))


def _fit(rows: Vector, weight: float) -> Vector:
    """Return factors c >= 0 that minimise |rows c - 1|^2 + weight |c - 1|^2.

    A factor that would be negative is 0: the others are fitted again without it.
    """
    count = rows.shape[1]
    used = np.ones(count, dtype=bool)
    factors = np.zeros(count)
    while used.any():
        chosen = rows[:, used]
        matrix = chosen.T @ chosen + weight * np.eye(used.sum())
        solved = np.linalg.solve(matrix, chosen.sum(axis=0) + weight)
        if (solved >= 0).all():
            factors[used] = solved
            break
        used[np.flatnonzero(used)[solved < 0]] = False
    return factors
