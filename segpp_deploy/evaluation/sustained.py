"""An engine that runs without a pause: whether heat or a power limit slows it, seen by tenths of the time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from segpp_deploy import commands
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.latency import LatencyStats, percentile
from segpp_deploy.hardware.clocks import Reading, read_sensors
from segpp_deploy.progress import Progress, no_progress

TENTHS = 10
MAX_SECONDS = 86_400
SLOWER = 1.05
"""From this ratio of the last tenth to the first on, a run is said to have slowed down."""

_SLICE_S = 1.0


@dataclass(frozen=True)
class Tenth:
    """A tenth of a run.

    Args:
        end_s: when it ended, from the start of the run.
        samples_ms: of its calls.
        reading: clocks and temperatures at its end.
    """

    end_s: float
    samples_ms: tuple[float, ...]
    reading: Reading

    @property
    def median_ms(self) -> float:
        """Median of its calls."""
        return percentile(self.samples_ms, 50)


@dataclass(frozen=True)
class SustainedRun:
    """A run of `seconds`, in tenths."""

    seconds: float
    tenths: tuple[Tenth, ...]

    @property
    def median_ms(self) -> float:
        """Median of all calls."""
        return percentile(list(chain.from_iterable(tenth.samples_ms for tenth in self.tenths)), 50)

    @property
    def slowdown(self) -> float:
        """The last tenth's median over the first's."""
        return self.tenths[-1].median_ms / self.tenths[0].median_ms

    @property
    def has_slowed(self) -> bool:
        """Whether the last tenth is slower than the first by more than noise usually is."""
        return self.slowdown > SLOWER

    def to_dict(self, batch: int) -> dict[str, Any]:
        """Return plain JSON values, for calls of `batch` images."""
        return {
            "seconds": self.seconds,
            "first_ms": self.tenths[0].median_ms,
            "median_ms": self.median_ms,
            "last_ms": self.tenths[-1].median_ms,
            "slowdown": self.slowdown,
            "tenths": [_describe(tenth, batch) for tenth in self.tenths],
        }


def run_sustained(
    run_for: Callable[[float], Sequence[float]],
    seconds: float,
    progress: Progress = no_progress,
    read: Callable[[], Reading] = read_sensors,
    now: Callable[[], float] = time.monotonic,
) -> SustainedRun:
    """Let an engine run for some seconds; longer where it takes longer than a tenth of them for one call.

    Sensors are read between the tenths, which is all the rest there is.

    Args:
        run_for: runs it back to back for so many seconds, at least once, and returns the milliseconds of each call.
        seconds: how long.
        progress: told about every second.
        read: reads the sensors.
        now: a clock, in seconds.

    Raises:
        SegppError: no time that can be waited for.
    """
    require_seconds(seconds)
    start, tenths = now(), []
    total = max(1, round(seconds))
    for number in range(1, TENTHS + 1):
        end_s, samples = seconds * number / TENTHS, list[float]()
        while not samples or now() - start < end_s:
            left_s = end_s - (now() - start)
            samples += run_for(min(_SLICE_S, max(left_s, 0.0)))
            progress("Running without a pause", min(total, round(now() - start)), total)
        tenths.append(Tenth(now() - start, tuple(samples), read()))
    return SustainedRun(seconds, tuple(tenths))


def require_seconds(seconds: float | None) -> None:
    """Check how long an engine is to run, if at all.

    Raises:
        SegppError: no time, or more than a day.
    """
    if seconds is not None and not (math.isfinite(seconds) and 0 < seconds <= MAX_SECONDS):
        raise SegppError(
            f"An engine cannot run for {seconds:g} seconds.",
            f"more than 0, and at most {MAX_SECONDS} (a day).",
            commands.option("sustained", 600),
        )


def _describe(tenth: Tenth, batch: int) -> dict[str, Any]:
    stats = LatencyStats.from_samples(tenth.samples_ms, batch)
    return {
        "end_s": round(tenth.end_s, 3),
        "samples": stats.samples,
        "median_ms": stats.median,
        "p99_ms": stats.p99,
        "throughput_ips": stats.throughput_ips,
        "clocks_mhz": tenth.reading.clocks_mhz,
        "temperatures_c": tenth.reading.temperatures_c,
    }
