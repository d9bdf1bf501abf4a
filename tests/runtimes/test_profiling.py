"""Times of nodes over several runs."""

from __future__ import annotations

import pytest

from segpp_deploy.graph.network_parts import NetworkPart
from segpp_deploy.runtimes.profiling import NodeTime, summarize


def test_an_operation_too_quick_for_the_clock_in_most_runs_is_counted_once() -> None:
    (seen,) = summarize([NodeTime("cast", NetworkPart.REST, 0.003)], runs=3).operations
    assert seen.count == 1
    assert seen.milliseconds == 0.001


def test_operations_and_parts_are_two_sums_of_the_same_time() -> None:
    nodes = [NodeTime("conv", NetworkPart.HEAD, 4), NodeTime("conv", NetworkPart.ATTENTION, 2)]
    profile = summarize([*nodes, NodeTime("add", NetworkPart.HEAD, 1)] * 2, runs=2)
    assert [(time.operation, time.milliseconds, time.count) for time in profile.operations] == [
        ("conv", pytest.approx(6), 2),
        ("add", pytest.approx(1), 1),
    ]
    assert list(profile.parts) == list(NetworkPart)
    assert profile.parts[NetworkPart.HEAD] == 5
    assert profile.parts[NetworkPart.ATTENTION] == 2
