"""Whatever goes wrong becomes one block on stderr and an exit code; a traceback only with SEGPP_DEBUG=1."""

from __future__ import annotations

import errno
import json
import subprocess
import sys

import pytest

from segpp_deploy.cli import failures
from segpp_deploy.cli.failures import run_guarded
from segpp_deploy.cli.main import run_command
from segpp_deploy.errors import CheckFailedError, SegppError


def raising(error: BaseException) -> object:
    def action() -> None:
        raise error

    return action


CASES = [
    (SegppError("What.", "expected.", "fix."), 2, ["What.", "  Expected: expected.", "  Fix: fix."]),
    (CheckFailedError("Gate missed.", "at most 0.1.", "relax it."), 1, ["Gate missed."]),
    (KeyboardInterrupt(), 2, ["Interrupted; nothing was left half-written.", "Expected:", "Fix:"]),
    (MemoryError(), 2, ["This machine ran out of memory.", "  Fix: Use a smaller --size"]),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 2, ["This machine ran out of memory."]),
    (OSError(errno.ENOSPC, "No space left on device"), 2, ["The operating system refused: [Errno 28] No space left"]),
    (RecursionError("maximum recursion depth exceeded"), 2, ["nested too deeply"]),
    (KeyError("secret"), 2, ["Internal error: KeyError: 'secret'", "SEGPP_DEBUG=1"]),
    (ValueError("first line\nsecond line"), 2, ["Internal error: ValueError: first line second line\n"]),
    (
        ImportError("libGL.so.1: no such file", name="cv2"),
        2,
        ["A library cannot be loaded: libGL", "opencv-python-headless"],
    ),
    (ModuleNotFoundError("No module named 'onnxscript.x'", name="onnxscript.x"), 2, ["--force-reinstall onnxscript\n"]),
    (ImportError("cannot import name \x1b"), 2, ["cannot import name \\x1b", "  Fix: pip check"]),
]


@pytest.mark.parametrize(("error", "code", "parts"), CASES, ids=lambda case: type(case).__name__)
def test_block_and_exit_code(error, code, parts, capsys, monkeypatch) -> None:
    monkeypatch.delenv(failures.DEBUG_VARIABLE, raising=False)
    assert run_guarded(raising(error)) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    for part in parts:
        assert part in captured.err


def test_debug_variable_adds_the_traceback(capsys, monkeypatch) -> None:
    monkeypatch.setenv(failures.DEBUG_VARIABLE, "1")
    assert run_guarded(raising(KeyError("x"))) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "Internal error" in err


USAGE = [
    (["xport"], ["Unknown command 'xport'.", "Did you mean 'export'?"]),
    (["--verison"], ["No such option: --verison.", "Did you mean '--version'?"]),
    (["validate", "e.engine", "--dta", "x"], ["No such option: --dta.", "--data, ", "Did you mean '--data'?"]),
    (["validate", "--data", "scenes:1"], ["Missing argument 'ENGINE'.", "A file written by build-engine"]),
    (["validate", "e.engine"], ["Missing option '--data'", "KIND:PATH"]),
    (["validate", "e.engine", "--data", "s", "--limit", "many"], ["'--limit'", "integer", "first N images"]),
    (["validate", "a", "b", "--data", "s"], ["unexpected extra argument", "validate --help"]),
    (["validate", "e", "--data", "s", "--inference", "hole"], ["way of inference 'hole'", "Did you mean 'whole'?"]),
    (["export", "-o"], ["'-o' requires an argument"]),
    (["export", "-o", "x.onnx", "--arch", "b9"], ["Unknown architecture 'b9'", "b0, b1, b2, b3, b4, b5"]),
    (["export", "-o", "x.onnx", "--size", "512"], ["Size '512' is not HEIGHTxWIDTH."]),
    (["export", "-o", "x.onnx", "--batch", "few"], ["Batch 'few' is neither a number nor 'dynamic'."]),
    (["export", "-o", "x.onnx", "--batch", "0"], ["Batch '0'"]),
    (["export", "-o", "x.onnx", "--lowering", "plug"], ["Unknown lowering 'plug'", "Did you mean 'plugin'?"]),
    (["export", "-o", "x.onnx", "--output", "label"], ["Unknown output kind 'label'", "Did you mean 'labels'?"]),
]


@pytest.mark.parametrize(("arguments", "parts"), USAGE, ids=" ".join)
def test_usage_errors_have_three_parts(arguments, parts, capsys) -> None:
    assert run_command(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.rstrip().split("\n")
    assert len(lines) == 3, captured.err
    assert lines[1].startswith("  Expected: ")
    assert lines[2].startswith("  Fix: ")
    for part in parts:
        assert part in captured.err


def test_closed_pipe_is_quiet() -> None:
    command = [sys.executable, "-m", "segpp_deploy", "export", "--help"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()  # before the first byte is written
    _, err = process.communicate(timeout=60)
    assert err == b""
    assert process.returncode == failures.ExitCode.OUTPUT_CLOSED


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_closed_stream_is_like_the_null_device(closed: str) -> None:
    command = f"{sys.executable} -m segpp_deploy inspect fast --json {closed}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    if closed == ">&-":
        assert ended.stdout == ""
    else:
        assert json.loads(ended.stdout)["mode"] == "fast"
