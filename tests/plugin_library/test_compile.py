from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from segpp_deploy.plugin_library.compile import CompileError, describe_failure, run_logged


def ignore(step: str, done: int, total: int) -> None:
    """Nobody looks."""


def run_python(program: str, report=ignore) -> str:
    log = io.StringIO()
    run_logged([sys.executable, "-c", program], log, "Compiling", report)
    return log.getvalue()


def test_ninja_s_count_is_the_progress() -> None:
    seen: list[tuple[str, int, int]] = []
    log = run_python(
        "print('[0/2] Re-checking globbed directories...'); print('[1/7] Building a'); print('[7/7] Linking')",
        lambda *step: seen.append(step),
    )
    assert seen == [("Compiling", 0, 1), ("Compiling", 1, 7), ("Compiling", 7, 7)]
    assert "[7/7] Linking" in log


def test_errors_are_in_the_log() -> None:
    log = io.StringIO()
    program = "import sys; print('why', file=sys.stderr); sys.exit(3)"
    with pytest.raises(CompileError, match="code 3"):
        run_logged([sys.executable, "-c", program], log, "x", ignore)
    assert "why" in log.getvalue()


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(CompileError, match="does not start"):
        run_logged(["/no/such/program"], io.StringIO(), "x", ignore)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def test_ctrl_c_ends_the_compilers_too(tmp_path: Path) -> None:
    """A child of the child lives as long as ninja's compilers do."""
    note = tmp_path / "process"
    child = f"""
import subprocess, sys, time
inner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(note)!r}, "w").write(str(inner.pid))
print("[1/2] Building", flush=True)
time.sleep(60)
"""

    def press_ctrl_c(step: str, done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_python(child, press_ctrl_c)
    inner = int(note.read_text())
    deadline = time.monotonic() + 10
    while is_alive(inner) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(inner)


def test_a_real_ctrl_c(tmp_path: Path) -> None:
    """SIGINT reaches us while we wait for the compiler's output."""
    program = (
        "import io, sys\n"
        "from segpp_deploy.plugin_library.compile import run_logged\n"
        "def report(step, done, total):\n"
        "    if done: print('running', flush=True)\n"
        "child = \"import time; print('[1/2] x', flush=True); time.sleep(60)\"\n"
        "run_logged([sys.executable, '-c', child], io.StringIO(), 'x', report)\n"
    )
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"running\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in errors
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("lines", "summary"),
    [
        (["[1/2] x", "a.cu(3): error: no", "ninja: build stopped: subcommand failed."], "a.cu(3): error: no"),
        (["FAILED: a.o", "a.cpp:1:2: error: b"], "a.cpp:1:2: error: b"),
        (
            ["CMake Error at CMakeLists.txt:3 (message):", "  No NvInfer.h"],
            "CMake Error at CMakeLists.txt:3 (message):",
        ),
        (["ld: undefined reference to f"], "ld: undefined reference to f"),
        (["Killed"], "the compiler gave no reason"),
    ],
)
def test_the_message_names_the_first_reason(lines: list[str], summary: str, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("\n".join([*(f"line {number}" for number in range(50)), *lines]))
    error = describe_failure(log)
    assert error.what == f"The plugins did not compile: {summary}"
    assert str(log) in error.fix
    assert error.fix.endswith(lines[-1])
    assert "line 30" not in error.fix
