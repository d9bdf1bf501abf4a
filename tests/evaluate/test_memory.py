"""A known allocation shows in the peak, and a failing child process is reported."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.evaluate import memory
from segpp_deploy.evaluate.memory import high_water_bytes, peak_memory_in_subprocess

MIB = 1 << 20


def fill(mebibytes: int) -> None:
    np.ones(mebibytes * MIB, np.uint8)


def fail() -> None:
    raise ValueError("no such layer")


def die() -> None:
    os._exit(9)


def hang() -> None:
    time.sleep(60)


def test_other_systems_ask_the_resource_module(monkeypatch: pytest.MonkeyPatch) -> None:
    from_status = high_water_bytes()
    monkeypatch.setattr(memory.sys, "platform", "freebsd")
    assert high_water_bytes() >= 0.5 * from_status


def test_subprocess_peak() -> None:
    small, large = (peak_memory_in_subprocess(fill, mebibytes) for mebibytes in (1, 300))
    assert 250 * MIB < large - small < 350 * MIB


def test_failure_in_the_subprocess() -> None:
    with pytest.raises(SegppError, match="fail failed in its own process: ValueError: no such layer"):
        peak_memory_in_subprocess(fail)


def test_death_of_the_subprocess() -> None:
    with pytest.raises(SegppError, match=r"died \(exit code 9\)"):
        peak_memory_in_subprocess(die)


def test_subprocess_out_of_time() -> None:
    with pytest.raises(SegppError, match=r"did not finish within 0\.5 seconds"):
        peak_memory_in_subprocess(hang, timeout_s=0.5)
