"""How long a call takes: percentiles after a warm-up, and fair ratios between alternatives."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from segpp_deploy import commands
from segpp_deploy.errors import SegppError
from segpp_deploy.progress import Progress, no_progress

Run = Callable[[], object]
Timer = Callable[[], float]

_LOOK_S, _MOST_REST_S = 0.01, 0.5
_BUSY_SHARE = 0.1


@dataclass(frozen=True)
class LatencyStats:
    """Milliseconds per call. Percentiles as in `percentile`; throughput in images a second, from the mean."""

    median: float
    p90: float
    p95: float
    p99: float
    min: float
    max: float
    mean: float
    throughput_ips: float
    samples: int

    @classmethod
    def from_samples(cls, samples_ms: Sequence[float], batch: int = 1) -> LatencyStats:
        """Summarise timed calls of `batch` images each."""
        mean = float(np.mean(samples_ms))
        return cls(
            median=percentile(samples_ms, 50),
            p90=percentile(samples_ms, 90),
            p95=percentile(samples_ms, 95),
            p99=percentile(samples_ms, 99),
            min=min(samples_ms),
            max=max(samples_ms),
            mean=mean,
            throughput_ips=batch * 1000 / mean if mean else float("inf"),
            samples=len(samples_ms),
        )


@dataclass(frozen=True)
class InterleavedLatency:
    """Timings of alternatives that took turns: `samples_ms[name][i]` was measured in round i, `warmup_ms` before."""

    samples_ms: Mapping[str, tuple[float, ...]]
    warmup_ms: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def stats(self, name: str, batch: int = 1) -> LatencyStats:
        """Return the summary of one alternative."""
        return LatencyStats.from_samples(self.samples_ms[name], batch)

    def speedup(self, baseline: str, name: str) -> float:
        """Return how many times faster `name` is than `baseline`: the median over rounds of their ratio.

        Both times of a ratio come from the same round, so a machine that slows down for a while slows both.
        """
        pairs = zip(self.samples_ms[baseline], self.samples_ms[name], strict=True)
        return float(np.median([slow / fast for slow, fast in pairs]))


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the value below which `percent` % of the samples lie, linear between the two nearest ranks.

    With n sorted samples the rank is (n - 1) * percent / 100, counted from 0 (numpy's default, Hyndman-Fan type 7);
    so p99 of fewer than 100 samples lies between the two slowest.

    Example:
        >>> percentile([4.0, 1.0, 2.0, 3.0], 50)
        2.5
    """
    return float(np.percentile(samples, percent))


def measure_interleaved(
    runs: Mapping[str, Run], rounds: int, warmup: int, progress: Progress = no_progress
) -> InterleavedLatency:
    """Time several alternatives in turns, with the garbage collector held back; see `take_turns`.

    Args:
        runs: the work by name; each returns only when it is finished.
        rounds: timed calls of each, at least 1.
        warmup: untimed calls of each before, at least 0.
        progress: told about every call, outside the timed part.

    Raises:
        SegppError: fewer than 1 round or a negative warm-up.
    """
    with _collector_held():
        timers = {name: partial(time_ms, run) for name, run in runs.items()}
        return take_turns(timers, rounds, warmup, progress)


def take_turns(
    timers: Mapping[str, Timer], rounds: int, warmup: int, progress: Progress = no_progress
) -> InterleavedLatency:
    """Let alternatives take turns, forwards in one round and backwards in the next.

    Taking turns spreads drift (heat, other load) over all of them; changing the order spreads what one leaves
    behind (caches, memory) for the next.

    Args:
        timers: by name: does the work once and returns the milliseconds it took, here or in another process.
        rounds: timed calls of each, at least 1.
        warmup: untimed calls of each before, at least 0.
        progress: told about every call.

    Raises:
        SegppError: fewer than 1 round or a negative warm-up.
    """
    require_counts(rounds, warmup)
    samples: dict[str, list[float]] = {name: [] for name in timers}
    first: dict[str, list[float]] = {name: [] for name in timers}
    total, done = (warmup + rounds) * len(timers), 0
    for number in range(-warmup, rounds):
        for name in timers if number % 2 == 0 else reversed(list(timers)):
            elapsed_ms = timers[name]()
            (samples if number >= 0 else first)[name].append(elapsed_ms)
            done += 1
            progress("Timing", done, total)
    timed, warm = ({name: tuple(values) for name, values in taken.items()} for taken in (samples, first))
    return InterleavedLatency(timed, warm)


def time_ms(run: Run) -> float:
    """Do the work once and return the milliseconds it took, and only after this process has come to rest."""
    start = time.perf_counter_ns()
    run()
    elapsed_ms = (time.perf_counter_ns() - start) / 1e6
    come_to_rest()
    return elapsed_ms


def run_for(run: Run, seconds: float) -> list[float]:
    """Do the work for so long without a pause, at least once, and return the milliseconds of each time."""
    samples: list[float] = []
    end_ns = time.perf_counter_ns() + seconds * 1e9
    while not samples or time.perf_counter_ns() < end_ns:
        start_ns = time.perf_counter_ns()
        run()
        samples.append((time.perf_counter_ns() - start_ns) / 1e6)
    return samples


def come_to_rest() -> None:
    """Wait until the threads of this process sleep.

    Those of ONNX Runtime look for more work for about 50 ms after each call, and take a core away from whatever is
    timed next: on two cores an engine of OpenVINO that took 25 ms seemed to take 36 after one of ONNX Runtime.
    """
    end_s = time.monotonic() + _MOST_REST_S
    while time.monotonic() < end_s:
        before_s = time.process_time()
        time.sleep(_LOOK_S)
        if time.process_time() - before_s < _BUSY_SHARE * _LOOK_S:
            return


def require_counts(iterations: int, warmup: int) -> None:
    """Check how many calls are to be measured.

    Raises:
        SegppError: fewer than 1, or a negative warm-up.
    """
    if iterations < 1 or warmup < 0:
        raise SegppError(
            f"{iterations} timed and {warmup} warm-up runs cannot be measured.",
            "at least 1 timed and 0 warm-up runs.",
            commands.option("iterations", 50) + " " + commands.option("warmup", 5),
        )


@contextlib.contextmanager
def _collector_held() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
