"""Runs without a pause, on a clock of our own."""

from __future__ import annotations

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.latency import run_for
from segpp_deploy.evaluation.sustained import MAX_SECONDS, TENTHS, require_seconds, run_sustained
from segpp_deploy.hardware.clocks import Reading


class Engine:
    """Each call takes `call_s` on the clock `now`, and `hot_s` from `heat_s` on."""

    def __init__(self, call_s: float, hot_s: float | None = None, heat_s: float = 0.0) -> None:
        self.time_s = 100.0
        self.asked: list[float] = []
        self._start_s, self._call_s, self._hot_s, self._heat_s = self.time_s, call_s, hot_s or call_s, heat_s

    def now(self) -> float:
        return self.time_s

    def run_for(self, seconds: float) -> list[float]:
        self.asked.append(seconds)
        end_s, samples = self.time_s + seconds, list[float]()
        while not samples or self.time_s < end_s:
            call_s = self._hot_s if self.time_s - self._start_s >= self._heat_s else self._call_s
            self.time_s += call_s
            samples.append(1000 * call_s)
        return samples


def test_tenths_of_the_time() -> None:
    engine, steps = Engine(0.125), list[tuple[int, int]]()
    run = run_sustained(engine.run_for, 40, lambda step, done, total: steps.append((done, total)), Reading, engine.now)
    assert [tenth.end_s for tenth in run.tenths] == [4.0 * (number + 1) for number in range(TENTHS)]
    assert {len(tenth.samples_ms) for tenth in run.tenths} == {32}
    assert max(engine.asked) == 1.0, "so that progress is told about every second"
    assert steps[-1] == (40, 40)
    assert (run.median_ms, run.slowdown, run.has_slowed) == (125.0, 1.0, False)


def test_heat_is_seen_in_the_last_tenth() -> None:
    engine = Engine(0.125, hot_s=0.25, heat_s=30)
    run = run_sustained(engine.run_for, 40, read=lambda: Reading({"CPU": engine.time_s}), now=engine.now)
    document = run.to_dict(batch=2)
    assert (document["first_ms"], document["last_ms"], document["slowdown"]) == (125.0, 250.0, 2.0)
    assert run.has_slowed
    assert document["tenths"][-1] == {
        "end_s": 40.0,
        "samples": 16,
        "median_ms": 250.0,
        "p99_ms": 250.0,
        "throughput_ips": 8.0,
        "clocks_mhz": {"CPU": 140.0},
        "temperatures_c": {},
    }


def test_calls_longer_than_a_tenth_are_all_there() -> None:
    engine = Engine(3.0)
    run = run_sustained(engine.run_for, 10, read=Reading, now=engine.now)
    assert [len(tenth.samples_ms) for tenth in run.tenths] == [1] * TENTHS


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), MAX_SECONDS + 1])
def test_no_time_to_run_for(seconds: float) -> None:
    with pytest.raises(SegppError, match="An engine cannot run for") as caught:
        require_seconds(seconds)
    assert caught.value.fix == "--sustained 600"
    require_seconds(None)


def test_run_for_runs_at_least_once() -> None:
    calls: list[int] = []
    samples = run_for(lambda: calls.append(1), 0)
    assert len(samples) == len(calls) == 1
    assert samples[0] >= 0
    assert len(run_for(lambda: None, 0.002)) > 1
