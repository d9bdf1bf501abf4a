from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.hardware import cpu as machine


def cpu_info(cores: list[tuple[int, int, int]]) -> str:
    blocks = [f"processor\t: {p}\nphysical id\t: {s}\ncore id\t\t: {c}\nflags : fpu" for p, s, c in cores]
    return "\n\n".join(blocks) + "\n"


TWO_SOCKETS = [(0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 1, 1), (4, 0, 0), (5, 0, 1), (6, 1, 0), (7, 1, 1)]


def test_hardware_threads_are_not_cores() -> None:
    assert machine.count_physical_cores(cpu_info(TWO_SOCKETS), set(range(8))) == 4
    assert machine.count_physical_cores(cpu_info(TWO_SOCKETS), {0, 4, 1}) == 2
    assert machine.count_physical_cores("Processor : ARMv8", {0, 1}) == 0


@pytest.mark.parametrize("text", ["", "max 100000", "nonsense", "100 0"])
def test_no_quota(text: str) -> None:
    assert machine.parse_cpu_quota(text) is None


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells cores and quotas in files")
@pytest.mark.parametrize(("quota", "expected"), [("max 100000", 4), ("150000 100000", 2), ("10000 100000", 1)])
def test_physical_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, expected: int) -> None:
    (tmp_path / "cpuinfo").write_text(cpu_info(TWO_SOCKETS))
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(machine, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(machine, "_CPU_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    assert machine.physical_cores() == expected


def test_silent_system_counts_logical_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_CPU_INFO", tmp_path / "none")
    monkeypatch.setattr(machine, "_CPU_QUOTA", tmp_path / "none")
    monkeypatch.setattr(machine, "_usable_logical_cores", lambda: {0, 1, 2})
    assert machine.physical_cores() == 3


@pytest.mark.parametrize("threads", [-1, 0, 100_000])
def test_impossible_numbers_of_threads(threads: int) -> None:
    with pytest.raises(SegppError, match=f"{threads} threads cannot compute"):
        machine.require_threads(threads)
    assert machine.require_threads(None) is None
    assert machine.require_threads(machine.physical_cores()) == machine.physical_cores()
