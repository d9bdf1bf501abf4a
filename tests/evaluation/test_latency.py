"""Timing with a clock that the test turns: warm-up, order, percentiles and ratios are exact."""

from __future__ import annotations

import gc
import itertools
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation import latency
from segpp_deploy.evaluation.latency import LatencyStats, Run, come_to_rest, measure_interleaved, percentile, take_turns
from segpp_deploy.progress import Progress, no_progress


class Clock:
    """Stands still unless a run says how long it takes."""

    def __init__(self) -> None:
        self.now_ns = 0

    def perf_counter_ns(self) -> int:
        return self.now_ns

    def run_taking(self, *durations_ms: float) -> Callable[[], None]:
        remaining = list(durations_ms)

        def run() -> None:
            self.now_ns += int((remaining.pop(0) if len(remaining) > 1 else remaining[0]) * 1e6)

        return run


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(latency, "time", clock)
    monkeypatch.setattr(latency, "come_to_rest", lambda: None)
    return clock


def time_alone(run: Run, rounds: int, warmup: int, batch: int = 1, progress: Progress = no_progress) -> LatencyStats:
    return measure_interleaved({"run": run}, rounds, warmup, progress).stats("run", batch)


def test_warmup_is_not_counted(clock: Clock) -> None:
    stats = time_alone(clock.run_taking(500, 500, 1, 2, 3, 4), 4, 2)
    assert (stats.min, stats.median, stats.mean, stats.max, stats.samples) == (1, 2.5, 2.5, 4, 4)


def test_throughput_counts_images(clock: Clock) -> None:
    stats = time_alone(clock.run_taking(20), 3, 0, batch=4)
    assert stats.throughput_ips == pytest.approx(200)


def test_instant_run_does_not_divide_by_zero(clock: Clock) -> None:
    assert time_alone(clock.run_taking(0), 1, 0).throughput_ips == float("inf")


def test_progress_reports_every_call_outside_the_timed_part(clock: Clock) -> None:
    seen = []

    def progress(step: str, done: int, total: int) -> None:
        seen.append((done, total))
        clock.now_ns += 10**9

    stats = time_alone(clock.run_taking(5), 2, 1, progress=progress)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert stats.max == 5


def test_order_alternates(clock: Clock) -> None:
    order: list[str] = []
    runs = {name: (lambda name=name: order.append(name)) for name in "abc"}
    measure_interleaved(runs, rounds=3, warmup=1)
    assert "".join(order) == "cba" + "abc" + "cba" + "abc"


def test_timers_elsewhere_take_turns_too() -> None:
    """What a timer says counts, not how long it took to say it."""
    asked: list[str] = []

    def timer(name: str, times: list[float]) -> float:
        asked.append(name)
        return times[len(asked) % 2]

    timers = {"a": lambda: timer("a", [1.0, 1.0]), "b": lambda: timer("b", [4.0, 4.0])}
    assert take_turns(timers, rounds=2, warmup=1).speedup("b", "a") == 4
    assert "".join(asked) == "ba" + "ab" + "ba"


def test_speedup_is_paired_by_round(clock: Clock) -> None:
    # The machine becomes ten times slower in the last round; the ratio does not care.
    measured = measure_interleaved(
        {"plain": clock.run_taking(20, 20, 200), "merged": clock.run_taking(10, 10, 100)}, rounds=3, warmup=0
    )
    assert measured.speedup("plain", "merged") == pytest.approx(2)
    assert measured.stats("plain").max == 200
    assert measured.stats("merged", batch=2).throughput_ips == pytest.approx(50)


@pytest.mark.parametrize("enabled", [True, False])
def test_collector_is_held_and_restored(enabled: bool) -> None:
    was_enabled = gc.isenabled()
    states = []

    def failing() -> None:
        states.append(gc.isenabled())
        raise RuntimeError("broken run")

    try:
        gc.enable() if enabled else gc.disable()
        with pytest.raises(RuntimeError, match="broken run"):
            time_alone(failing, 1, 0)
        assert states == [False]
        assert gc.isenabled() is enabled
    finally:
        gc.enable() if was_enabled else gc.disable()


@pytest.mark.parametrize(("iterations", "warmup"), [(0, 0), (-1, 2), (1, -1)])
def test_counts_must_make_sense(iterations: int, warmup: int) -> None:
    with pytest.raises(SegppError, match="cannot be measured"):
        time_alone(lambda: None, iterations, warmup)


def test_percentile_is_linear_between_ranks() -> None:
    samples = [10.0, 20.0, 30.0, 40.0, 50.0]
    assert percentile(samples, 0) == 10
    assert percentile(samples, 100) == 50
    assert percentile(samples, 90) == pytest.approx(46)
    assert percentile([7.0], 99) == 7


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=50))
def test_figures_are_ordered(samples: list[float]) -> None:
    stats = LatencyStats.from_samples(samples)
    figures = [stats.min, stats.median, stats.p90, stats.p95, stats.p99, stats.max]
    assert all(low <= high * (1 + 1e-12) for low, high in itertools.pairwise(figures))
    assert stats.min <= stats.mean * (1 + 1e-12)
    assert stats.samples == len(samples)


def test_the_next_call_waits_for_threads_that_are_still_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "come_to_rest", come_to_rest)  # other tests do without it
    ends: list[float] = []
    starts: list[float] = []

    def spin() -> None:
        end = time.monotonic() + 0.06
        while time.monotonic() < end:
            pass
        ends.append(time.monotonic())

    def leave_a_busy_thread() -> None:
        threading.Thread(target=spin, daemon=True).start()

    measured = measure_interleaved(
        {"busy": leave_a_busy_thread, "next": lambda: starts.append(time.monotonic())}, rounds=1, warmup=0
    )
    assert measured.samples_ms["busy"][0] < 50  # the rest is no part of the call
    assert starts[0] >= ends[0]


def test_a_process_that_never_rests_is_not_waited_for_without_end() -> None:
    is_over = threading.Event()

    def spin() -> None:
        while not is_over.is_set():
            pass

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    began = time.monotonic()
    come_to_rest()
    elapsed = time.monotonic() - began
    is_over.set()
    thread.join()
    assert 0.3 < elapsed < 5
