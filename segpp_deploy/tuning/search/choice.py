"""Which of the trials is best, which are worth showing, and in which order they are to be confirmed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from segpp_deploy.config import Size
from segpp_deploy.tuning.search.options import Goal
from segpp_deploy.tuning.search.trial import Trial

T = TypeVar("T")


def best_of(trials: Sequence[Trial], goal: Goal, baseline_ms: float) -> Trial | None:
    """Return the best trial that meets the goal; where none does, the fastest; None where there is none.

    Args:
        trials: timed, and judged on all pictures.
        goal: what is searched for.
        baseline_ms: latency of a speed-up of 1.
    """
    meeting = meeting_goal(trials, goal, baseline_ms)
    if meeting:
        return meeting[0]
    return max(trials, key=lambda trial: trial.speedup, default=None)


def meeting_goal(trials: Sequence[Trial], goal: Goal, baseline_ms: float) -> list[Trial]:
    """Return the trials that meet the goal, the best first."""

    def latency_ms(trial: Trial) -> float:
        return baseline_ms / trial.speedup

    meeting = [trial for trial in trials if goal.is_met(latency_ms(trial), trial.loss)]
    return sorted(meeting, key=lambda trial: (goal.merit(latency_ms(trial), trial.loss), latency_ms(trial)))


def in_order_of_choice(trials: Sequence[Trial], goal: Goal, baseline_ms: float, full_size: Size) -> Iterator[Trial]:
    """Yield the trials that meet the goal, the best first; of those that are equal but for noise, the simplest.

    So a plan that gains nothing, as on small inputs, gives way to the plain network.
    """
    left = meeting_goal(trials, goal, baseline_ms)
    while left:
        best = goal.merit(baseline_ms / left[0].speedup, left[0].loss)
        tied = [one for one in left if goal.is_tied(goal.merit(baseline_ms / one.speedup, one.loss), best)]
        chosen = min(tied, key=lambda trial: trial.candidate.complexity(full_size))  # the first of equals
        yield chosen
        left.remove(chosen)


def pareto_front(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials than which no other is both at least as fast and at least as accurate, the fastest first.

    Example:
        >>> from segpp_deploy.tuning.search.trial import Trial
        >>> trials = [Trial(None, speedups=(s,), losses=(p,)) for s, p in ((1, 0), (2, 0.5), (1.5, 0.6), (3, 2))]
        >>> [trial.speedup for trial in pareto_front(trials)]
        [3, 2, 1]
    """
    return front_of(trials, lambda trial: -trial.speedup, lambda trial: trial.loss)


def front_of(items: Iterable[T], cost: Callable[[T], float], loss: Callable[[T], float]) -> list[T]:
    """Return the items than which no other both costs and loses as little, the cheapest first.

    Example:
        >>> front_of([(1, 5), (2, 5), (3, 1)], lambda one: one[0], lambda one: one[1])
        [(1, 5), (3, 1)]
    """
    front: list[T] = []
    for item in sorted(items, key=lambda item: (cost(item), loss(item))):
        if not front or loss(item) < loss(front[-1]):
            front.append(item)
    return front
