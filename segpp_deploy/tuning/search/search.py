"""The search: one candidate after the other, always the one that the models think best of, until the time is over."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

from segpp_deploy.config import Preset
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.progress import PERCENT, Progress
from segpp_deploy.runtimes.session import Session
from segpp_deploy.tuning.search.candidate import Candidate, CandidateKey
from segpp_deploy.tuning.search.choice import best_of
from segpp_deploy.tuning.search.clock import Clock
from segpp_deploy.tuning.search.cost_model import CostModel
from segpp_deploy.tuning.search.judge import Judge
from segpp_deploy.tuning.search.limits import Limits
from segpp_deploy.tuning.search.loss_model import LossModel
from segpp_deploy.tuning.search.options import Goal
from segpp_deploy.tuning.search.sampler import PlanSampler, Proposal
from segpp_deploy.tuning.search.space import SearchSpace
from segpp_deploy.tuning.search.store import TrialStore
from segpp_deploy.tuning.search.trial import UNASKED, Trial
from segpp_deploy.tuning.search.workbench import Workbench

TIMING_SECONDS = 1.5
"""About so long a candidate is timed."""

TIMING_NOISE = 0.03
"""Candidates that seem slower than the best by no more may be faster."""

POOL = 16
"""So many proposals are looked at for one that is tried."""

PATIENCE = 400
"""After so many proposals of which none is worth trying there is nothing left to find."""

RIVALS = (Preset.FAST, Preset.FAST_PLUS)
"""Presets that are always timed: what is chosen is to be no slower."""

_REMEMBERED = 6  # the longest of so many trials is how long the next may take


@dataclass(frozen=True)
class Tools:
    """What a search works with.

    Args:
        space: what it chooses between.
        baseline: the unmerged network that everything is compared with.
        bench: opens candidates.
        clock: says how fast they are.
        judge: says what they lose.
        model: predicts how fast they are.
        store: keeps what was found out.
    """

    space: SearchSpace
    baseline: Candidate
    bench: Workbench
    clock: Clock
    judge: Judge
    model: CostModel
    store: TrialStore

    def latency_ms(self, trial: Trial) -> float:
        """Return how long a call of a timed candidate takes."""
        return self.clock.baseline_ms / trial.speedup

    def complete(self) -> list[Trial]:
        """Return the trials that were timed and judged on all pictures."""
        return [one for one in self.store.trials if one.speedups and self.judge.is_complete(one.losses)]


@dataclass(frozen=True)
class _Idea:
    """A candidate that may be tried, its point in the space, and what proposed it, if the sampler did."""

    candidate: Candidate
    params: Mapping[str, str]
    proposal: Proposal | None = None


class Search:
    """Tries candidates; what is known is in the store after each.

    Args:
        tools: what it works with.
        goal: what it is for.
        seed: of what is proposed.
        progress: told how much of the search is over, and the best so far.

    Raises:
        SegppError: Optuna is not installed.
    """

    def __init__(self, tools: Tools, goal: Goal, seed: int, progress: Progress) -> None:
        self._tools = tools
        self._goal = goal
        self._progress = progress
        self._sampler = PlanSampler(tools.space.axes, seed, population=len(tools.space.presets()))
        full = tools.space.size
        self._losses = LossModel(full.height * full.width, tools.space.engines)
        self._known: dict[CandidateKey, Trial] = {}
        self._champion: tuple[Candidate, Session] | None = None
        self._opened = ExitStack()
        self._step = "Searching"
        self._shown: Candidate | None = None
        self._aim = goal
        self._beginnings = [_Idea(tools.space.candidate(params), params) for params in tools.space.beginnings()]
        self._last_seconds: deque[float] = deque(maxlen=_REMEMBERED)
        self.is_exhausted = False
        for trial in tools.store.trials:
            if trial.candidate != tools.baseline:
                tools.judge.note(trial.losses)
            self._take_note(trial)

    @property
    def best(self) -> Trial | None:
        """The best of the candidates that were judged on all pictures: one that meets the goal, else the fastest."""
        return best_of(self._tools.complete(), self._goal, self._tools.clock.baseline_ms)

    def run(self, limits: Limits) -> None:
        """Try candidates until the limits are reached; Ctrl-C is not caught."""
        with self._opened:
            self._try_rivals(limits)
            self._try_best_ideas(limits)

    def _try_rivals(self, limits: Limits) -> None:
        """Try the presets that others are compared with, on the fastest engine."""
        space, baseline = self._tools.space, self._tools.baseline
        if baseline.engine in space.engines and baseline.key not in self._known:  # the reference itself
            losses = (0.0,) * len(self._tools.judge.rungs)
            params = space.params(Preset.ORIGINAL, baseline.engine)
            self._keep(Trial(baseline, params=params, speedups=(1.0,), losses=losses, agreement=1.0))
        self._aim = self._goal.relaxed(self._tools.judge.margin)
        for preset in RIVALS:
            params = space.params(preset, space.engines[0])
            candidate = space.candidate(params)
            if candidate.key not in self._known and not self._is_over(limits):
                self._keep(self._try(candidate, params, limits))

    def _try_best_ideas(self, limits: Limits) -> None:
        """Try the one of many ideas that the models think best of, a round each.

        Every second round may lose more than the goal allows: held-out pictures may judge otherwise.
        """
        round_number = 1 + max((trial.proposal for trial in self._tools.store.trials), default=UNASKED)
        dry_rounds = 0
        while dry_rounds < 2:
            if self._is_over(limits):
                return
            self._aim = self._goal.relaxed(self._tools.judge.margin) if round_number % 2 else self._goal
            ideas = self._known_ideas() + self._proposed_ideas(round_number)
            if ideas:
                chosen = min(ideas, key=lambda idea: self._rank(idea.candidate))
                for idea in ideas:
                    if idea.proposal is not None and idea is not chosen:
                        self._sampler.reject(idea.proposal)
                candidate = chosen.candidate
                if candidate.plan.name not in list(Preset):
                    candidate = candidate.named(f"tuned-{round_number}")
                self._keep(self._try(candidate, chosen.params, limits, round_number), chosen.proposal)
            dry_rounds = 0 if ideas else dry_rounds + 1
            round_number += 1
        self.is_exhausted = True

    def _known_ideas(self) -> list[_Idea]:
        """Return the beginnings that were not tried and may win."""
        self._beginnings = [idea for idea in self._beginnings if self._is_new(idea.candidate)]
        return [idea for idea in self._beginnings if self._is_promising(idea.candidate)]

    def _proposed_ideas(self, round_number: int) -> list[_Idea]:
        """Return what the sampler proposes and may win; fewer than `POOL` where such are hard to find."""
        self._sampler.begin_round(round_number)
        ideas: list[_Idea] = []
        for _ in range(PATIENCE):
            proposal = self._sampler.propose()
            candidate = self._tools.space.candidate(proposal.params)
            others = (one.candidate.key for one in ideas)
            if self._is_new(candidate) and candidate.key not in others and self._is_promising(candidate):
                ideas.append(_Idea(candidate, proposal.params, proposal))
            else:
                self._sampler.reject(proposal)
            if len(ideas) == POOL:
                break
        return ideas

    def _rank(self, candidate: Candidate) -> tuple[bool, float]:
        """Return what makes a candidate worth trying: that it may meet the goal, and then its merit."""
        latency_ms, loss = self._tools.model.predict_ms(candidate), self._losses.predict(candidate)
        is_met = self._aim.is_met(latency_ms, loss)
        return not is_met, self._aim.merit(latency_ms, loss) if is_met else self._aim.excess(latency_ms, loss)

    def _is_new(self, candidate: Candidate) -> bool:
        try:
            return candidate.key not in self._known
        except SegppError:  # an input too small for what it is to be
            return False

    def _is_promising(self, candidate: Candidate) -> bool:
        """Whether the cost model leaves a candidate a chance."""
        model = self._tools.model
        return self._may_win(model.predict_ms(candidate) * (1 - model.error))

    def _may_win(self, latency_ms: float, loss: float = 0.0) -> bool:
        best = best_of(self._tools.complete(), self._aim, self._tools.clock.baseline_ms)
        known = None if best is None else (self._tools.latency_ms(best), best.loss)
        return self._aim.could_win(latency_ms * (1 - TIMING_NOISE), loss, known)

    def _try(
        self, candidate: Candidate, params: Mapping[str, str], limits: Limits, round_number: int = UNASKED
    ) -> Trial:
        """Find out about a candidate, as long as it may win and there is time."""
        began = limits.now()
        trial = Trial(candidate, round_number, params, self._tools.model.predict_ms(candidate))
        try:
            with self._tools.bench.open(candidate) as session:
                trial = self._time(trial, session)
                latency_ms = self._tools.latency_ms(trial)
                if round_number == UNASKED or self._may_win(latency_ms):
                    losses, agreement = self._tools.judge.judge(
                        session, lambda loss: limits.seconds_left > 0 and self._may_win(latency_ms, loss)
                    )
                    trial = replace(trial, losses=losses, agreement=agreement)
        except SegppError as error:
            trial = replace(trial, error=one_line(error.what))
        self._last_seconds.append(limits.now() - began)
        return trial

    def _time(self, trial: Trial, session: Session) -> Trial:
        """Time a candidate beside the best so far, which has to hold its place."""
        opened = {trial.candidate: session}
        best = self._open_best()
        if best is not None:
            opened[best[0].candidate] = best[1]
        speedups = self._tools.clock.speedups(opened, TIMING_SECONDS)
        if best is not None:
            again = best[0].timed_again(speedups[best[0].candidate])
            self._tools.store.replace(best[0], again)
            self._known[again.candidate.key] = again
        return trial.timed_again(speedups[trial.candidate])

    def _open_best(self) -> tuple[Trial, Session] | None:
        best = self.best
        if best is None or best.candidate == self._tools.baseline:  # which is there as it is
            return None
        if self._champion is None or self._champion[0] != best.candidate:
            self._opened.close()
            session = self._opened.enter_context(self._tools.bench.open(best.candidate))
            self._champion = best.candidate, session
        return best, self._champion[1]

    def _keep(self, trial: Trial, proposal: Proposal | None = None) -> None:
        self._tools.store.add(trial)
        self._take_note(trial, proposal)

    def _take_note(self, trial: Trial, proposal: Proposal | None = None) -> None:
        """Learn from a trial; from one that was judged the sampler does too."""
        self._known[trial.candidate.key] = trial
        if trial.speedups:
            self._tools.model.learn(trial.candidate, self._tools.latency_ms(trial))
        if trial.losses:
            is_complete = self._tools.judge.is_complete(trial.losses)
            self._losses.learn(trial.candidate, trial.loss, is_complete=is_complete)
        if trial.losses and self._tools.space.holds(trial.params):
            objectives = self._goal.objectives(self._tools.latency_ms(trial), trial.loss)
            if proposal is None:
                self._sampler.teach(trial.params, objectives)
            else:
                self._sampler.accept(proposal, objectives)
        elif proposal is not None:
            self._sampler.reject(proposal)

    def _is_over(self, limits: Limits) -> bool:
        part = limits.part_done(len(self._tools.store.trials))
        best = self.best
        if best is not None and best.candidate != self._shown:  # a new name is a new step
            self._shown = best.candidate
            self._step = f"Searching; best so far: {best.candidate}, {best.speedup:.2f}x, {best.loss:.2f} points lost"
        self._progress(self._step, min(int(PERCENT * part), PERCENT), PERCENT)
        return part >= 1 or limits.seconds_left < max(self._last_seconds, default=0)
