from __future__ import annotations

import signal
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segpp_deploy.progress import no_progress
from segpp_deploy.runtimes.tensorrt.progress import BuildTracker, run_tracked

NAMES = st.sampled_from(["build", "graph", "tactics", "reformats"])
CALLS = st.one_of(
    st.tuples(st.just("start"), NAMES, st.one_of(st.none(), NAMES), st.integers(0, 5)),
    st.tuples(st.just("complete"), NAMES, st.integers(0, 9)),
    st.tuples(st.just("finish"), NAMES),
)


@given(st.lists(CALLS, max_size=40))
def test_whatever_the_library_reports_the_fraction_only_grows(calls: list[tuple[object, ...]]) -> None:
    tracker, last = BuildTracker(), 0.0
    for name, *arguments in calls:
        getattr(tracker, str(name))(*arguments)
        assert last <= tracker.fraction <= 1.0
        last = tracker.fraction


def test_nested_phases() -> None:
    tracker = BuildTracker()
    tracker.start("build", None, 2)
    tracker.complete("build", 0)
    tracker.start("graph", "build", 2)
    tracker.complete("graph", 0)
    assert tracker.fraction == 0.75
    tracker.finish("graph")
    tracker.complete("build", 1)
    assert tracker.fraction == 1.0


def test_the_result_and_the_progress_reach_the_caller() -> None:
    tracker, seen = BuildTracker(), []
    tracker.start("build", None, 2)

    def work() -> str:
        tracker.complete("build", 0)
        return threading.current_thread().name

    assert run_tracked(work, tracker, lambda *step: seen.append(step)) == "engine-builder"
    assert seen[-1] == ("Compiling", 50, 100)


def test_what_the_work_raises_reaches_the_caller() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_tracked(fail, BuildTracker(), no_progress)


@pytest.mark.parametrize("failure", [KeyboardInterrupt, BrokenPipeError])
def test_an_interrupted_wait_stops_the_work_first(failure: type[BaseException]) -> None:
    tracker, went_on = BuildTracker(), []

    def work() -> None:
        while tracker.complete("build", 0):
            pass
        went_on.append("to its end")

    def interrupt(step: str, done: int, total: int) -> None:
        raise failure

    with pytest.raises(failure):
        run_tracked(work, tracker, interrupt)
    assert went_on == ["to its end"]


@pytest.mark.parametrize("delay_seconds", [0.0, 0.15])
def test_ctrl_c_while_waiting_stops_the_work_first(delay_seconds: float) -> None:
    tracker, went_on = BuildTracker(), []
    gives_up = time.monotonic() + 60

    def work() -> None:
        time.sleep(delay_seconds)
        signal.raise_signal(signal.SIGINT)  # which Python hands to the main thread
        while tracker.complete("build", 0):
            assert time.monotonic() < gives_up
            time.sleep(0.001)
        time.sleep(0.2)
        went_on.append("to its end")

    with pytest.raises(KeyboardInterrupt):
        run_tracked(work, tracker, no_progress)
    assert went_on == ["to its end"]
