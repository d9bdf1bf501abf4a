"""A benchmark beside an earlier one: what is slower beyond noise, and what cannot be said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segpp_deploy.errors import CheckFailedError, SegppError
from segpp_deploy.evaluation.environment import describe_environment
from segpp_deploy.evaluation.latency import InterleavedLatency
from segpp_deploy.evaluation.regression import CONFIDENCE, compare_samples
from segpp_deploy.hardware.jetson import Jetson
from segpp_deploy.workflows.bench.baseline import Comparison, describe_other_machine, read_baseline
from segpp_deploy.workflows.bench.power import PowerState
from segpp_deploy.workflows.bench.result import BenchResult

ENGINE = {"path": "a.engine", "mode": "fast", "target": "cpu", "precision": "fp32", "size": "64x64", "batch": 1}


def report(tmp_path: Path, *engines: dict[str, Any], cpu: str = "") -> Path:
    environment = describe_environment()
    machine = {"cpu": cpu or environment.cpu, "cpu_cores": environment.cpu_cores}
    path = tmp_path / "bench.json"
    path.write_text(json.dumps({"engines": list(engines), "environment": machine}))
    return path


def test_noise_is_no_change() -> None:
    """Of measurements of the same thing, about one in twenty seems to have changed."""
    generator = np.random.default_rng(1)
    changed = 0
    for seed in range(200):
        before, now = generator.lognormal(0, 0.1, (2, 40))
        change = compare_samples(before, now, seed)
        assert change.low <= change.ratio <= change.high
        changed += change.is_slower or change.is_faster
    assert changed <= 200 * (1 - CONFIDENCE) * 2


def test_a_change_is_found() -> None:
    generator = np.random.default_rng(2)
    before = generator.lognormal(0, 0.05, 50)
    assert compare_samples(before, 1.1 * generator.lognormal(0, 0.05, 50)).is_slower
    assert compare_samples(before, 0.9 * generator.lognormal(0, 0.05, 50)).is_faster


def test_which_engine_is_compared(tmp_path: Path) -> None:
    twice = [{**ENGINE, "mode": "hq", "path": path, "samples_ms": [1.0]} for path in ("b", "c")]
    baseline = read_baseline(report(tmp_path, {**ENGINE, "samples_ms": [2.0]}, *twice))
    assert baseline.samples_of({**ENGINE, "path": "elsewhere.engine"}) == [2.0]
    assert baseline.samples_of({**ENGINE, "batch": 2}) is None
    assert baseline.samples_of({**ENGINE, "mode": "hq", "path": "c"}) == [1.0]
    assert baseline.samples_of({**ENGINE, "mode": "hq", "path": "d"}) is None, "which of the two, nobody says"


def test_a_slower_engine_fails_the_command(tmp_path: Path) -> None:
    slow, same = compare_samples([1.0, 1.1, 1.0], [2.0, 2.1, 2.0]), compare_samples([1.0, 1.2], [1.1, 1.1])
    comparison = Comparison(tmp_path / "bench.json", (slow, same, None), "")
    result = BenchResult((), InterleavedLatency({}), describe_environment(), comparison=comparison)
    with pytest.raises(CheckFailedError, match="1 of 0 engines are slower"):
        result.require_no_regression()
    assert [row[-1] for row in comparison.table(("a", "b", "c")).rows] == ["slower", "as before"]
    assert comparison.to_dict()["changes"][2] is None
    assert comparison.notes == (f"1 engines are not in {tmp_path / 'bench.json'}, or not told apart there.",)
    BenchResult((), InterleavedLatency({}), describe_environment()).require_no_regression()


def test_another_machine_is_said(tmp_path: Path) -> None:
    environment = describe_environment()
    same = read_baseline(report(tmp_path, {**ENGINE, "samples_ms": [2.0]}))
    assert describe_other_machine(same, environment, PowerState()) == ""
    orin = PowerState(Jetson("Orin", "36.4.0", "15W"))
    assert describe_other_machine(same, environment, orin) == "power mode unknown, now 15W"
    other = read_baseline(report(tmp_path, {**ENGINE, "samples_ms": [2.0]}, cpu="Other CPU"))
    assert describe_other_machine(other, environment, orin).startswith("Other CPU")


@pytest.mark.parametrize("content", ["", "{}", '{"engines": [{"path": "a"}], "environment": {}}'])
def test_no_report(content: str, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text(content)
    with pytest.raises(SegppError, match="is no benchmark"):
        read_baseline(path)
    with pytest.raises(SegppError, match="cannot be read"):
        read_baseline(tmp_path / "lost.json")
