"""What comes after the search: int8 of the best, the best timed once more, and held-out pictures for whom is chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from pathlib import Path

from segpp_deploy import commands
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
from segpp_deploy.tuning.search.limits import Limits
from segpp_deploy.tuning.search.options import Goal, LossGoal
from segpp_deploy.tuning.search.search import RIVALS, Tools
from segpp_deploy.tuning.search.trial import UNASKED, Trial

FINALISTS = 4
TIMING_SECONDS = 6.0
TIMING_SHARE = 0.02
"""The best are timed for so many seconds, or for this part of the time where that is more."""

OPENING_SECONDS = 4.0
"""So long it may take to open a candidate that was open before."""

CONFIRMATIONS = 6
"""For so many candidates there is to be time, the reference among them: what seems to lose nothing often loses more."""

MOST_KEPT = 0.4
"""No more than this part of the time is kept for the end."""

REPORT_SECONDS = 5.0
"""At the end, for the report."""

INT8_CHANCE = 0.8
"""int8 of all layers that is slower than this times the candidate it is made of is not worth choosing layers for."""


_TIMING, _CONFIRMING = "Timing the best once more", "Confirming on held-out pictures"


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Args:
        trial: the choice.
        meets_goal: whether it does, on held-out pictures too where they were asked.
        rejected: how many that are faster lost too much on held-out pictures.
        unasked: how many that may be better there was no time to confirm; with them the choice, if it is not confirmed.
    """

    trial: Trial
    meets_goal: bool
    rejected: int = 0
    unasked: int = 0


class Finals:
    """Ends a search.

    Args:
        tools: what the search worked with.
        goal: what it was for.
        limits: of all of it.
        progress: told about each step.
    """

    def __init__(self, tools: Tools, goal: Goal, limits: Limits, progress: Progress) -> None:
        self._tools = tools
        self._goal = goal
        self._limits = replace(limits, kept_seconds=REPORT_SECONDS)
        self._progress = progress
        self._recipes: dict[Candidate, PrecisionRecipe] = {}
        self._timed_again: frozenset[Candidate] = frozenset()

    def try_int8(
        self,
        trial: Trial,
        targets: Iterable[TargetName],
        calibration: CalibrationOptions,
        folder: Path,
        seconds: float,
    ) -> None:
        """Try a candidate in int8 on every target that has it; layers are chosen only where it may be faster.

        Args:
            trial: the candidate.
            targets: which.
            calibration: pictures to find the ranges on.
            folder: where the ranges are written.
            seconds: it is given up, and that is told, after so many.
        """
        progress = self._give_up_after(seconds)
        for target in targets:
            candidate = replace(trial.candidate, engine=EngineKind(target, Precision.INT8))
            if all(known.candidate.key != candidate.key for known in self._tools.store.trials):
                path = folder / f"{target}-int8.ranges.yaml"
                tried = Trial(candidate, ranges=str(path))
                try:
                    tried = self._try_int8(tried, trial, calibration, path, progress)
                except SegppError as error:
                    tried = replace(tried, error=one_line(error.what))
                self._tools.store.add(tried)

    def _try_int8(
        self, tried: Trial, rival: Trial, calibration: CalibrationOptions, path: Path, progress: Progress
    ) -> Trial:
        tools, candidate = self._tools, tried.candidate
        bench = tools.bench.bench(candidate)
        graph = tools.bench.graph(candidate)
        write_ranges(path, calibrate_graph(graph, calibration, progress).ranges)
        for layers in (Int8Layers.ALL, Int8Layers.FASTER):
            choice = choose_recipe(graph, Precision.INT8, RangesFile(path), layers, bench, progress)
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

    def _give_up_after(self, seconds: float) -> Progress:
        """Return what tells progress until so much time is over, and then raises an error."""
        end = self._limits.now() + seconds

        def tell(step: str, done: int, total: int) -> None:
            if self._limits.now() > end:
                raise SegppError("There was no time for it.", "more time.", commands.option("minutes", "N"))
            self._progress(step, done, total)

        return tell

    def time_again(self) -> None:
        """Time the best, and the presets that they are to beat, in turns with each other, for longer than before.

        From then on there is only they to choose from. Where there is little time left, earlier measurements stay.
        """
        timed = [*self._contenders(), *self._rivals()]
        finalists = {trial.candidate: trial for trial in timed if trial.candidate != self._tools.baseline}
        seconds = timing_seconds(self._limits)
        if not finalists or seconds + len(finalists) * OPENING_SECONDS > self._limits.seconds_left:
            return
        self._progress(_TIMING, 0, 1)
        with ExitStack() as opened:
            sessions = {trial.candidate: opened.enter_context(self._open(trial)) for trial in finalists.values()}
            speedups = self._tools.clock.speedups(sessions, seconds)
        for trial in finalists.values():  # earlier measurements, of which the best are here for luck, count no more
            self._tools.store.replace(trial, replace(trial, speedups=(speedups[trial.candidate],)))
        self._timed_again = frozenset(finalists)
        self._progress(_TIMING, 1, 1)

    def choose(self, confirming: Callable[[float], Judge | None] | None) -> Choice:
        """Return the first in order of choice that loses no more on held-out pictures than may be lost.

        The first that meets the goal on the judged pictures is confirmed first, then what may be better, as long as
        there is time; where there is none at all, the choice is the first, unconfirmed. Where nothing meets the goal,
        it is the fastest that was found.

        Args:
            confirming: opens the held-out pictures, given the seconds that are left, where those are enough; None: they
                are not asked.

        Raises:
            SegppError: there is nothing to choose from.
        """
        judge = None if confirming is None else confirming(self._limits.seconds_left)
        order = list(self._in_order(self._goal if judge is None else self._relaxed))
        first = next(self._in_order(self._goal), None)
        if judge is None:
            if first is not None:
                return Choice(first, meets_goal=True, unasked=confirming is not None)
            return Choice(self._fastest(), meets_goal=False)
        chosen, rejected, unasked = None, 0, 0
        place = {trial.candidate: number for number, trial in enumerate(order)}
        longest = judge.seconds_per_picture * judge.rungs[-1]
        for trial in sorted(order, key=lambda trial: (trial != first, place[trial.candidate])):
            if chosen is not None and place[chosen.candidate] < place[trial.candidate]:
                break
            is_free = trial.candidate == self._tools.baseline
            if not is_free and longest + OPENING_SECONDS > self._limits.seconds_left:
                if trial == first:
                    return Choice(first, meets_goal=True, unasked=1)
                unasked += 1
                continue
            began = self._limits.now()
            confirmed = self._confirm(trial, judge)
            longest = max(longest, self._limits.now() - began)
            if self._holds(confirmed):
                chosen = confirmed
            else:
                rejected += 1
        if chosen is not None:
            return Choice(chosen, meets_goal=True, rejected=rejected, unasked=unasked)
        return Choice(self._fastest(), meets_goal=False, rejected=rejected, unasked=unasked)

    @property
    def _relaxed(self) -> Goal:
        return self._goal.relaxed(self._tools.judge.margin)

    def _contenders(self) -> list[Trial]:
        """Return the best of what meets the goal, and of what other pictures may find to meet it."""
        pairs = zip_longest(self._in_order(self._relaxed), self._in_order(self._goal))
        both = dict.fromkeys(trial.candidate for pair in pairs for trial in pair if trial is not None)
        known = {trial.candidate: trial for trial in self._tools.store.trials}
        return [known[candidate] for candidate in islice(both, FINALISTS)]

    def _rivals(self) -> list[Trial]:
        """Return the presets that the choice is to beat."""
        return [
            one
            for one in self._tools.store.trials
            if one.speedups and one.proposal == UNASKED and one.candidate.plan.name in list(RIVALS)
        ]

    def _fastest(self) -> Trial:
        """Return the fastest that was judged on all pictures.

        Raises:
            SegppError: there is none.
        """
        complete = self._tools.complete()
        if not complete:
            reasons = {trial.error for trial in self._tools.store.trials if trial.error}
            raise SegppError(
                f"No candidate could be tried to the end: {some_names(reasons, shown=2) or 'there was no time'}.",
                "one at least.",
                "Allow more time, or other targets and precisions.",
            )
        return max(complete, key=lambda trial: trial.speedup)

    def _holds(self, trial: Trial) -> bool:
        loss = trial.loss if trial.confirmed_loss is None else trial.confirmed_loss
        return not isinstance(self._goal, LossGoal) or loss <= self._goal.points

    def _confirm(self, trial: Trial, judge: Judge) -> Trial:
        """Ask the held-out pictures; of what loses far too much on the first of them, no more are asked."""
        self._progress(_CONFIRMING, 0, 1)
        if trial.candidate == self._tools.baseline:
            confirmed = replace(trial, confirmed_loss=0.0)
        else:
            with self._open(trial) as session:
                losses, _ = judge.judge(session, lambda loss: self._holds(replace(trial, confirmed_loss=loss)))
            confirmed = replace(trial, confirmed_loss=losses[-1])
        self._tools.store.replace(trial, confirmed)
        self._progress(_CONFIRMING, 1, 1)
        return confirmed

    def _in_order(self, goal: Goal) -> Iterator[Trial]:
        tools = self._tools
        trials = tools.complete()
        if self._timed_again:
            trials = [one for one in trials if one.candidate in {*self._timed_again, tools.baseline}]
        return in_order_of_choice(trials, goal, tools.clock.baseline_ms, tools.baseline.size)

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


def timing_seconds(limits: Limits) -> float:
    """Return how long the best are timed at the end."""
    return max(TIMING_SECONDS, TIMING_SHARE * limits.seconds)


def seconds_for_finals(limits: Limits, confirmation_seconds: float) -> float:
    """Return how much of the time is to be kept for the end.

    Args:
        limits: of all of it.
        confirmation_seconds: how long one candidate takes on the held-out pictures.
    """
    opening = (CONFIRMATIONS + FINALISTS + len(RIVALS)) * OPENING_SECONDS
    needed = timing_seconds(limits) + opening + CONFIRMATIONS * confirmation_seconds + REPORT_SECONDS
    return min(needed, MOST_KEPT * limits.seconds)
