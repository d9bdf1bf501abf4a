"""When a search ends, and how much of the time is kept for what comes after it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

Now = Callable[[], float]


@dataclass(frozen=True)
class Limits:
    """The time there is, and the number of candidates.

    Args:
        seconds: how long everything may take.
        trials: no candidate is taken up after so many; None: any number.
        start: when the clock began, of `now`.
        kept_seconds: how much of the time is for what comes after.
        now: the clock.
    """

    seconds: float
    trials: int | None = None
    start: float = 0.0
    kept_seconds: float = 0.0
    now: Now = time.monotonic

    @classmethod
    def begin(cls, seconds: float, trials: int | None = None, now: Now = time.monotonic) -> Limits:
        """Start the clock."""
        return cls(seconds, trials, now(), now=now)

    @property
    def seconds_left(self) -> float:
        """How much of the time there still is, without what is kept."""
        return self.seconds - self.kept_seconds - (self.now() - self.start)

    def part_done(self, trials: int) -> float:
        """Return how much of the search is over; 1 or more is its end."""
        in_time = 1 - self.seconds_left / self.seconds
        return in_time if self.trials is None else max(in_time, trials / self.trials)
