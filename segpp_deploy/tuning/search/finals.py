"""What comes after the search: int8 of the best, the best timed once more, and held-out pictures for whom is chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from segpp_deploy.config import Int8Layers, Precision
from segpp_deploy.errors import SegppError, one_line, some_names
from segpp_deploy.graph.precision.ranges import write_ranges
from segpp_deploy.graph.precision.recipe import PrecisionRecipe
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.session import Session
from segpp_deploy.tuning.calibration.calibration import calibrate_graph
from segpp_deploy.tuning.calibration.options import CalibrationOptions, RangesFile
from segpp_deploy.tuning.recipe_choice import choose_recipe
from segpp_deploy.tuning.search.candidate import Candidate, EngineKind
from segpp_deploy.tuning.search.choice import in_order_of_choice
from segpp_deploy.tuning.search.judge import Judge
from segpp_deploy.tuning.search.options import Goal, LossGoal
from segpp_deploy.tuning.search.search import Tools
from segpp_deploy.tuning.search.trial import Trial

FINALISTS = 4
TIMING_SECONDS = 6.0

INT8_CHANCE = 0.8
"""int8 of all layers that is slower than this times the candidate it is made of is not worth choosing layers for."""


_TIMING, _CONFIRMING = "Timing the best once more", "Confirming on held-out pictures"


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Args:
        trial: the choice.
        meets_goal: whether it does, on held-out pictures too where they were asked.
        rejected: how many were better before held-out pictures were asked.
    """

    trial: Trial
    meets_goal: bool
    rejected: int = 0


class Finals:
    """Ends a search.

    Args:
        tools: what the search worked with.
        goal: what it was for.
        progress: told about each step.
    """

    def __init__(self, tools: Tools, goal: Goal, progress: Progress) -> None:
        self._tools = tools
        self._goal = goal
        self._progress = progress
        self._recipes: dict[Candidate, PrecisionRecipe] = {}

    def try_int8(
        self, trial: Trial, targets: Iterable[TargetName], calibration: CalibrationOptions, folder: Path
    ) -> None:
        """Try a candidate in int8 on every target that has it; layers are chosen only where it may be faster.

        Args:
            trial: the candidate.
            targets: which.
            calibration: pictures to find the ranges on.
            folder: where the ranges are written.
        """
        for target in targets:
            candidate = replace(trial.candidate, engine=EngineKind(target, Precision.INT8))
            if all(known.candidate.key != candidate.key for known in self._tools.store.trials):
                path = folder / f"{target}-int8.ranges.yaml"
                tried = Trial(candidate, ranges=str(path))
                try:
                    tried = self._try_int8(tried, trial, calibration, path)
                except SegppError as error:
                    tried = replace(tried, error=one_line(error.what))
                self._tools.store.add(tried)

    def _try_int8(self, tried: Trial, rival: Trial, calibration: CalibrationOptions, path: Path) -> Trial:
        tools, candidate = self._tools, tried.candidate
        bench = tools.bench.bench(candidate)
        graph = tools.bench.graph(candidate)
        write_ranges(path, calibrate_graph(graph, calibration, self._progress).ranges)
        for layers in (Int8Layers.ALL, Int8Layers.FASTER):
            choice = choose_recipe(graph, Precision.INT8, RangesFile(path), layers, bench, self._progress)
            with bench.open(choice.recipe) as session:
                speedup = tools.clock.speedups({candidate: session}, TIMING_SECONDS / 4)[candidate]
                tried = replace(tried, speedups=(speedup,))
                if speedup < INT8_CHANCE * rival.speedup:
                    return tried
                if layers is Int8Layers.FASTER:  # what `build-engine` chooses too
                    self._recipes[candidate] = choice.recipe
                    losses, agreement = tools.judge.judge(session, lambda _loss: True)
                    tried = replace(tried, losses=losses, agreement=agreement)
        return tried

    def time_again(self) -> None:
        """Time the first in order of choice in turns with each other, for longer than before."""
        first = list(islice(self._in_order(), FINALISTS))
        finalists = [trial for trial in first if trial.candidate != self._tools.baseline]
        self._progress(_TIMING, 0, 1)
        with ExitStack() as opened:
            sessions = {trial.candidate: opened.enter_context(self._open(trial)) for trial in finalists}
            speedups = self._tools.clock.speedups(sessions, TIMING_SECONDS)
        for trial in finalists:  # earlier measurements, of which the best are here for their luck, count no more
            self._tools.store.replace(trial, replace(trial, speedups=(speedups[trial.candidate],)))
        self._progress(_TIMING, 1, 1)

    def choose(self, confirming: Callable[[], Judge] | None) -> Choice:
        """Return the first in order of choice that loses no more on held-out pictures than may be lost.

        Where nothing meets the goal, it is the fastest that was found.

        Args:
            confirming: opens the held-out pictures; None: they are not asked.

        Raises:
            SegppError: there is nothing to choose from.
        """
        rejected = 0
        judge = None if confirming is None else confirming()
        for trial in self._in_order():
            confirmed = trial if judge is None else self._confirm(trial, judge)
            loss = confirmed.loss if confirmed.confirmed_loss is None else confirmed.confirmed_loss
            if not isinstance(self._goal, LossGoal) or loss <= self._goal.points:
                return Choice(confirmed, meets_goal=True, rejected=rejected)
            rejected += 1
        complete = self._tools.complete()
        if not complete:
            reasons = {trial.error for trial in self._tools.store.trials if trial.error}
            raise SegppError(
                f"No candidate could be tried to the end: {some_names(reasons, shown=2) or 'there was no time'}.",
                "one at least.",
                "Allow more time, or other targets and precisions.",
            )
        fastest = max(complete, key=lambda trial: trial.speedup)
        return Choice(fastest if judge is None else self._confirm(fastest, judge), meets_goal=False, rejected=rejected)

    def _confirm(self, trial: Trial, judge: Judge) -> Trial:
        self._progress(_CONFIRMING, 0, 1)
        if trial.candidate == self._tools.baseline:
            confirmed = replace(trial, confirmed_loss=0.0)
        else:
            with self._open(trial) as session:
                (loss,), _ = judge.judge(session, lambda _loss: True)
            confirmed = replace(trial, confirmed_loss=loss)
        self._tools.store.replace(trial, confirmed)
        self._progress(_CONFIRMING, 1, 1)
        return confirmed

    def _in_order(self) -> Iterator[Trial]:
        tools = self._tools
        return in_order_of_choice(tools.complete(), self._goal, tools.clock.baseline_ms, tools.baseline.size)

    @contextmanager
    def _open(self, trial: Trial) -> Iterator[Session]:
        candidate, recipe = trial.candidate, None
        if trial.ranges:
            if candidate not in self._recipes:  # int8 of an earlier run
                graph, bench = self._tools.bench.graph(candidate), self._tools.bench.bench(candidate)
                source = RangesFile(Path(trial.ranges))
                choice = choose_recipe(graph, Precision.INT8, source, Int8Layers.FASTER, bench, self._progress)
                self._recipes[candidate] = choice.recipe
            recipe = self._recipes[candidate]
        with self._tools.bench.open(candidate, recipe) as session:
            yield session
