"""How fast candidates are: timed in turns with a baseline and the best so far, or by the cost model alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from segpp_deploy.evaluation.latency import measure_interleaved
from segpp_deploy.graph.contract import noise_images
from segpp_deploy.runtimes.session import Session
from segpp_deploy.tuning.search.candidate import Candidate
from segpp_deploy.tuning.search.cost_model import CostModel

LEAST_ROUNDS, MOST_ROUNDS = 5, 150
_WARMUP = 2
_BASELINE = "baseline"


class Clock(Protocol):
    """Says how many times as fast as the baseline candidates are."""

    @property
    def baseline_ms(self) -> float:
        """Milliseconds of a call of the baseline: the unmerged float32 network."""

    def speedups(self, opened: Mapping[Candidate, Session], seconds: float) -> dict[Candidate, float]:
        """Return it for each; `seconds` is about how long that may take."""


class MeasuringClock:
    """Times sessions beside the baseline's, which is open the whole time.

    Args:
        baseline: a session of it.
    """

    def __init__(self, baseline: Session) -> None:
        self._baseline = baseline
        run = partial(baseline.run, noise_images(baseline.metadata))
        self._baseline_ms = measure_interleaved({_BASELINE: run}, LEAST_ROUNDS, _WARMUP).stats(_BASELINE).median

    @property
    def baseline_ms(self) -> float:
        """Milliseconds of a call of the baseline."""
        return self._baseline_ms

    def speedups(self, opened: Mapping[Candidate, Session], seconds: float) -> dict[Candidate, float]:
        """Return the median over rounds in which all took turns."""
        sessions = {_BASELINE: self._baseline, **{str(index): one for index, one in enumerate(opened.values())}}
        runs = {name: partial(one.run, noise_images(one.metadata)) for name, one in sessions.items()}
        rounds = int(1000 * seconds / (self._baseline_ms * len(runs)))
        measured = measure_interleaved(runs, min(max(rounds, LEAST_ROUNDS), MOST_ROUNDS), _WARMUP)
        return {candidate: measured.speedup(_BASELINE, str(index)) for index, candidate in enumerate(opened)}


class ModellingClock:
    """Says what the cost model says of a GPU that is not here.

    Args:
        model: of the GPU.
        baseline: the unmerged network on it.
    """

    def __init__(self, model: CostModel, baseline: Candidate) -> None:
        self._model = model
        self._baseline_ms = model.roofline_ms(baseline)

    @property
    def baseline_ms(self) -> float:
        """Milliseconds of a call of the baseline, by the peaks."""
        return self._baseline_ms

    def speedups(self, opened: Mapping[Candidate, Session], seconds: float) -> dict[Candidate, float]:
        """Return it by the peaks; no session runs."""
        return {candidate: self._baseline_ms / self._model.roofline_ms(candidate) for candidate in opened}
