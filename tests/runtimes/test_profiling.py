"""Times of operations over several runs."""

from __future__ import annotations

from segpp_deploy.runtimes.profiling import average_runs


def test_an_operation_too_quick_for_the_clock_in_most_runs_is_counted_once() -> None:
    (seen,) = average_runs([[("cast", 0.003)], [], []])
    assert seen.count == 1
    assert seen.milliseconds == 0.001
