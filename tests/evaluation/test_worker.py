"""Processes of engines, started from a script."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import sys
from pathlib import Path

ballast = bytearray(700 << 20)
ballast[:] = b"x" * len(ballast)
print("script runs")

from segpp_deploy.evaluation.worker import start_worker
from segpp_deploy.runtimes.session import SessionOptions
from tests.evaluation.test_worker import open_fake

with start_worker(Path("none.engine"), SessionOptions(), open_engine=open_fake) as worker:
    worker.run_ms()
    print("MiB", worker.peak_memory_bytes() >> 20)
"""


def open_fake(engine: Path, options: object) -> object:
    from tests.workflows.fake_session import BrightnessSession, make_metadata

    return BrightnessSession(make_metadata())


def test_a_script_without_a_guard_runs_once_and_its_memory_is_not_the_engines(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    words = run.stdout.split()
    assert words[:2] == ["script", "runs"]
    assert words.count("runs") == 1
    assert int(words[-1]) < 600
