"""Run CMake as a child that ends with us, and report how far it is."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from segpp_deploy.errors import SegppError, one_line, shorten
from segpp_deploy.progress import Progress

_NINJA_COUNT = re.compile(r"\[(\d+)/(\d+)\] (?!Re-checking)")
_GRACE_S = 5.0
_LOG_LINES = 12
_TELLING = re.compile(r"\berror\b|\bundefined reference\b|FAILED:|CMake Error", re.IGNORECASE)


class CompileError(Exception):
    """A step of the build failed; its output is in the log."""


def run_logged(
    command: Sequence[str], log: IO[str], step: str, report: Progress, environment: Mapping[str, str] | None = None
) -> None:
    """Run a command to its end, copying its output to `log` and counting ninja's steps.

    Ctrl-C and every other exception end the command with all its children.

    Raises:
        CompileError: it cannot be started or ends with an error.
    """
    log.write(f"$ {' '.join(command)}\n")
    report(step, 0, 1)
    with _child(command, environment) as process:
        assert process.stdout is not None  # PIPE
        for line in process.stdout:
            log.write(line)
            count = _NINJA_COUNT.match(line)
            if count:
                report(step, int(count[1]), int(count[2]))
        code = process.wait()
    log.flush()
    if code != 0:
        raise CompileError(f"{Path(command[0]).name} ended with code {code}")


def describe_failure(log: Path) -> SegppError:
    """Return the message for a build whose log is `log`: the first line that tells why, and the last lines."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    telling = [line.strip() for line in lines if _TELLING.search(line) and "ninja: " not in line]
    errors = [line for line in telling if "error:" in line.lower()] or telling
    summary = errors[0] if errors else "the compiler gave no reason"
    tail = "\n    ".join(lines[-_LOG_LINES:])
    return SegppError(
        f"The plugins did not compile: {shorten(summary)}",
        "sources that these compilers and headers take.",
        f"Read the log, {log}; its last lines:\n    {tail}",
    )


@contextlib.contextmanager
def _child(command: Sequence[str], environment: Mapping[str, str] | None) -> Iterator[subprocess.Popen[str]]:
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            start_new_session=True,  # so that one signal reaches ninja, nvcc and all they start
        )
    except OSError as error:
        raise CompileError(f"{command[0]} does not start: {one_line(error)}") from error
    try:
        yield process
    finally:
        _end_group(process)


def _end_group(process: subprocess.Popen[str]) -> None:
    """Leave nothing running: children of a dead child may live on."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
    if process.stdout is not None:
        process.stdout.close()
