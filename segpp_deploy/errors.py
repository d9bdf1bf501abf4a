"""The one error type that reaches users: what happened, what was expected, the command that fixes it."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar

_uses_command_line: ContextVar[bool] = ContextVar("uses_command_line", default=False)


class CommandText(str):
    """Text that speaks of our commands or their options; `segpp_deploy.commands` writes them.

    Example:
        >>> isinstance("Build it again: " + CommandText("segpp-deploy build-engine") + ".", CommandText)
        True
    """

    __slots__ = ()

    def __add__(self, other: str) -> CommandText:
        return CommandText(super().__add__(other))

    def __radd__(self, other: str) -> CommandText:
        return CommandText(other + str(self))


@contextlib.contextmanager
def command_line() -> Iterator[None]:
    """Say that a command is used: inside the block, errors suggest commands and options."""
    token = _uses_command_line.set(True)
    try:
        yield
    finally:
        _uses_command_line.reset(token)


class SegppError(Exception):
    """Bad input or environment; the CLI prints it as one block and exits with `exit_code`.

    Args:
        what: what happened, naming the file or value, e.g. "Unknown merge mode 'bsm_r2D' in plan.yaml".
        expected: what would have been right.
        fix: the next step; a `CommandText` where it is a command or an option, which callers of the Python API, who
            used none, are not shown.

    Example:
        >>> error = SegppError("No file x.onnx.", "An ONNX file.", CommandText("segpp-deploy export -o x.onnx"))
        >>> print(error)
        No file x.onnx.
          Expected: An ONNX file.
        >>> with command_line():
        ...     print(error)
        No file x.onnx.
          Expected: An ONNX file.
          Fix: segpp-deploy export -o x.onnx
    """

    exit_code = 2

    def __init__(self, what: str, expected: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.expected:
            lines.append(f"  Expected: {self.expected}")
        if self.fix and (_uses_command_line.get() or not isinstance(self.fix, CommandText)):
            lines.append(f"  Fix: {self.fix}")
        return "\n".join(lines)


class CheckFailedError(SegppError):
    """A check the user asked for did not hold (accuracy gate, benchmark bar)."""

    exit_code = 1


class UnreadableFileError(SegppError):
    """One input file is missing, damaged or of a kind that is not supported; work on others may go on without it."""


def one_line(error: Exception) -> str:
    """Return a library's message without its line breaks, to be part of ours.

    Example:
        >>> one_line(ValueError("bad node\\n  in line 1"))
        'bad node in line 1'
    """
    return " ".join(str(error).split())


def suggest_name(name: str, valid: Iterable[str]) -> str:
    """Return "Did you mean 'x'?" for the closest valid name, or an empty string.

    Example:
        >>> suggest_name("bsm_r2D", ["none", "bsm", "n1d", "n2d"])
        "Did you mean 'bsm'?"
    """
    matches = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.4)
    return f"Did you mean {matches[0]!r}?" if matches else ""


def some_names(names: Iterable[str], shown: int = 8) -> str:
    """Return the first few names, each once, and how many more there are.

    Example:
        >>> some_names("abca", shown=2)
        'a, b, ... 1 more'
    """
    listed = list(dict.fromkeys(names))
    more = f", ... {len(listed) - shown} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more


def unknown_name_error(kind: str, name: str, valid: Iterable[str], where: str = "") -> SegppError:
    """Build the error for a name that is not among the valid ones.

    Args:
        kind: what the name stands for, e.g. "merge mode".
        name: the name as the user wrote it.
        valid: the names that exist.
        where: where it was written, e.g. "plan.yaml (stage 1, kv)".
    """
    names = list(valid)
    place = f" in {where}" if where else ""
    return SegppError(
        f"Unknown {kind} {name!r}{place}.",
        f"one of: {', '.join(names)}.",
        suggest_name(name, names) or f"Use one of the names above for the {kind}.",
    )
