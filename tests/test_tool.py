"""Programs that scripts run: their output, or the script's end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.toolchain.tool import run_tool


def test_what_it_prints_is_returned(tmp_path: Path) -> None:
    script = "import os; print(os.getcwd(), os.environ.get('GIVEN'))"
    assert run_tool([sys.executable, "-c", script], tmp_path, {"GIVEN": "yes"}).split() == [str(tmp_path), "yes"]


def test_a_failure_ends_the_script_with_what_was_said() -> None:
    with pytest.raises(SystemExit, match=r"-c[\s\S]*said before\n[\s\S]*broken"):
        run_tool([sys.executable, "-c", "print('said before', flush=True); raise ValueError('broken')"])
