"""Peak memory is the process's own high-water mark, whatever system tells it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segpp_deploy.evaluation import memory
from segpp_deploy.evaluation.memory import available_bytes, high_water_bytes

MIB = 2**20
HOLD_AND_RELEASE = """
from segpp_deploy.evaluation.memory import high_water_bytes
before = high_water_bytes()
held = bytearray(b"x") * (200 << 20)
del held
print(high_water_bytes() - before)
"""


def test_the_mark_rises_by_what_was_held_and_stays() -> None:
    shown = subprocess.run([sys.executable, "-c", HOLD_AND_RELEASE], capture_output=True, text=True, check=True).stdout
    assert 190 * MIB < int(shown) < 260 * MIB


def test_other_systems_ask_the_resource_module(monkeypatch: pytest.MonkeyPatch) -> None:
    from_status = high_water_bytes()
    monkeypatch.setattr(memory.sys, "platform", "freebsd")
    assert high_water_bytes() >= 0.5 * from_status


def test_some_of_the_memory_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < available_bytes() < physical
    monkeypatch.setattr(memory, "_MEMORY", Path("/nowhere"))
    assert available_bytes() == physical
