"""What a search is for; apart from the work, so that options are checked before libraries load."""

from __future__ import annotations

import math
from dataclasses import dataclass

from segpp_deploy import commands
from segpp_deploy.errors import SegppError

TIED_LATENCY = 1.03
"""Candidates whose latencies differ by less are equally fast: less is noise."""

TIED_LOSS = 0.02
"""Points; candidates whose losses differ by less are equally good."""


@dataclass(frozen=True)
class LossGoal:
    """The fastest that loses at most so many points of the headline score."""

    points: float

    def is_met(self, latency_ms: float, loss: float) -> bool:
        """Whether a candidate may be chosen."""
        return loss <= self.points

    def merit(self, latency_ms: float, loss: float) -> float:
        """Return what is compared between candidates that may be chosen; the smaller the better."""
        return latency_ms

    def is_tied(self, merit: float, best: float) -> bool:
        """Whether a merit is the best one's, but for noise."""
        return merit <= TIED_LATENCY * best

    def could_win(self, latency_ms: float, loss: float, best: tuple[float, float] | None) -> bool:
        """Whether a candidate that may turn out as good as this is worth more work; `best` is (latency, loss)."""
        return loss <= self.points and (best is None or best[1] > self.points or latency_ms <= best[0])

    def objectives(self, latency_ms: float, loss: float) -> tuple[float, float]:
        """Return what the sampler minimises: below the limit less loss is worth nothing, and each point above it counts
        as twice the time, so that what is far from the limit is nobody's parent.
        """
        return latency_ms * (1 + self.excess(latency_ms, loss)), max(loss, self.points)

    def excess(self, latency_ms: float, loss: float) -> float:
        """Return by how many points a candidate misses the goal."""
        return max(loss - self.points, 0)

    def relaxed(self, points: float) -> Goal:
        """Return the goal of candidates that other pictures may find better by so many points."""
        return LossGoal(self.points + points)

    def __str__(self) -> str:
        return f"the fastest that loses at most {self.points:g} points"


@dataclass(frozen=True)
class LatencyGoal:
    """The most accurate that takes at most so many milliseconds a call."""

    milliseconds: float

    def is_met(self, latency_ms: float, loss: float) -> bool:
        """Whether a candidate may be chosen."""
        return latency_ms <= self.milliseconds

    def merit(self, latency_ms: float, loss: float) -> float:
        """Return what is compared between candidates that may be chosen; the smaller the better."""
        return loss

    def is_tied(self, merit: float, best: float) -> bool:
        """Whether a merit is the best one's, but for noise."""
        return merit <= best + TIED_LOSS

    def could_win(self, latency_ms: float, loss: float, best: tuple[float, float] | None) -> bool:
        """Whether a candidate that may turn out as good as this is worth more work; `best` is (latency, loss).

        While nothing is fast enough, whatever is faster than the fastest is.
        """
        if best is None or best[0] <= self.milliseconds:
            return latency_ms <= self.milliseconds and (best is None or loss <= best[1])
        return latency_ms <= best[0]

    def objectives(self, latency_ms: float, loss: float) -> tuple[float, float]:
        """Return what the sampler minimises: below the limit less time is worth nothing, and each tenth above it counts
        as a point.
        """
        return max(latency_ms, self.milliseconds), loss + 10 * self.excess(latency_ms, loss)

    def excess(self, latency_ms: float, loss: float) -> float:
        """Return by which part a candidate misses the goal."""
        return max(latency_ms / self.milliseconds - 1, 0)

    def relaxed(self, points: float) -> Goal:
        """Return the same: other pictures take no other time."""
        return self

    def __str__(self) -> str:
        return f"the most accurate that takes at most {self.milliseconds:g} ms"


Goal = LossGoal | LatencyGoal


def parse_goal(loss: float | None, latency_ms: float | None) -> Goal:
    """Return the goal that one of two options names.

    Raises:
        SegppError: none or both are given, or no such loss or latency can be.
    """
    either = commands.option("loss", 0.2) + ", or " + commands.option("latency-ms", 50)
    if (loss is None) == (latency_ms is None):
        raise SegppError(
            f"{'Nothing says' if loss is None else 'Two limits do not say'} what to search for.",
            "the points that may be lost, or the milliseconds that a call may take; one of the two.",
            either,
        )
    if loss is not None:
        if not (math.isfinite(loss) and 0 <= loss <= 100):
            raise SegppError(f"--loss {loss:g} is no loss.", "points of the headline score, 0 to 100.", either)
        return LossGoal(loss)
    assert latency_ms is not None
    if not (math.isfinite(latency_ms) and latency_ms > 0):
        raise SegppError(f"--latency-ms {latency_ms:g} is no latency.", "milliseconds, more than 0.", either)
    return LatencyGoal(latency_ms)
