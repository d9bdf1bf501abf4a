"""Ctrl-C at any moment: exit code 2, one message or none, no traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from segpp_deploy.cli.failures import ExitCode, run_guarded
from segpp_deploy.cli.interrupts import MESSAGE


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)
    time.sleep(1)  # the handler runs before this ends
    raise AssertionError("nothing happened")


def press_ctrl_c_in_a_library() -> None:
    try:
        press_ctrl_c()
    except KeyboardInterrupt as interrupt:
        raise RuntimeError("step 1 of 3 failed") from interrupt


@pytest.mark.parametrize("action", [press_ctrl_c, press_ctrl_c_in_a_library])
def test_the_interrupt_is_what_is_reported(action, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    assert run_guarded(action) == ExitCode.BAD_INPUT
    assert capsys.readouterr().err == f"{MESSAGE}\n"
    assert signal.getsignal(signal.SIGINT) is before


def test_an_ignored_ctrl_c_stays_ignored() -> None:
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run_guarded(lambda: signal.raise_signal(signal.SIGINT)) == ExitCode.OK
    finally:
        signal.signal(signal.SIGINT, previous)


def run_python(program: str, path: Path) -> subprocess.CompletedProcess[str]:
    command, environment = [sys.executable, "-c", program], {"PYTHONPATH": str(path)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


SWALLOWS = "import signal\ntry:\n    signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt:\n    pass\n"


def test_a_library_that_swallows_it_while_it_loads(tmp_path: Path) -> None:
    (tmp_path / "swallower.py").write_text(SWALLOWS)
    command = "def command():\n    import swallower\n    print('went on')\n"
    program = (
        "from segpp_deploy.cli.failures import run_guarded\n"
        f"scope = {{'__name__': 'segpp_deploy.cli.command'}}; exec({command!r}, scope)\n"
        "raise SystemExit(run_guarded(scope['command']))\n"
    )
    ended = run_python(program, tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (ExitCode.BAD_INPUT, "", f"{MESSAGE}\n")


def test_before_the_command_line_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(SWALLOWS)
    ended = run_python("from segpp_deploy.__main__ import main; main()", tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")
