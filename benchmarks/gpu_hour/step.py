"""One step of a long measurement: a command in a process of its own, within a time, and what became of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from typing import IO, Any

from benchmarks.recording import ROOT
from segpp_deploy.config import Choice

_TAIL_CHARACTERS = 4000
_NOT_POSSIBLE = 2  # our commands' exit code for what is missing or does not fit


class Outcome(Choice):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"
    MISSING = "missing"
    TIMED_OUT = "timed out"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Step:
    """What to run.

    Args:
        name: unique.
        command: the words; the last line of its output that is JSON is what it found.
        limit_s: it is killed after so many seconds.
        modules: Python modules that it needs.
        tools: programs that it needs.
    """

    name: str
    command: tuple[str, ...]
    limit_s: float
    modules: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """What it needs and is not installed."""
        modules = [f"Python module {name}" for name in self.modules if find_spec(name) is None]
        return (*modules, *(f"program {name}" for name in self.tools if shutil.which(name) is None))


@dataclass(frozen=True)
class StepResult:
    """What became of a step.

    Args:
        name: the step's.
        command: its words.
        outcome: how it ended.
        seconds: how long it took.
        why: what was missing, or how it failed; the end of its output.
        found: the JSON documents that it printed.
        gpu: clocks and power while it ran; empty where nobody tells.
    """

    name: str
    command: tuple[str, ...]
    outcome: Outcome
    seconds: float = 0.0
    why: str = ""
    found: list[Any] = field(default_factory=list)
    gpu: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "outcome": str(self.outcome), "command": list(self.command)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> StepResult:
        """Read what `to_dict` wrote."""
        return cls(**{**values, "outcome": Outcome(values["outcome"]), "command": tuple(values["command"])})


def run_step(step: Step, limit_s: float) -> StepResult:
    """Run a step, and kill it with all it started after `limit_s` seconds."""
    if step.missing:
        return StepResult(step.name, step.command, Outcome.MISSING, why=f"not installed: {', '.join(step.missing)}")
    began = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        # A session of its own: what it starts is killed with it.
        process = subprocess.Popen(
            step.command, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True
        )
        try:
            code: int | None = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
        text = _read(output)
    seconds = round(time.monotonic() - began, 1)
    outcome = Outcome.TIMED_OUT if code is None else _OUTCOMES.get(code, Outcome.FAILED)
    why = "" if outcome is Outcome.PASSED else text[-_TAIL_CHARACTERS:].strip()
    return StepResult(step.name, step.command, outcome, seconds, why, find_documents(text))


_OUTCOMES = {0: Outcome.PASSED, _NOT_POSSIBLE: Outcome.MISSING}


def find_documents(text: str) -> list[Any]:
    """Return the JSON objects in a command's output: lines of their own, or one over many lines.

    Example:
        >>> find_documents('Building\\n{"rows": []}\\n')
        [{'rows': []}]
    """
    found = []
    decoder = json.JSONDecoder()
    place = 0
    while (start := text.find("{", place)) >= 0:
        try:
            document, place = decoder.raw_decode(text, start)
        except ValueError:
            place = start + 1
            continue
        at_line_start = not text[:start].rpartition("\n")[2].strip()
        if at_line_start:
            found.append(document)
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a step's session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(output: IO[str]) -> str:
    output.seek(0)
    return output.read()
