"""The one error type that reaches users: what happened, what was expected, the command that fixes it."""

from __future__ import annotations

import contextlib
import difflib
import reprlib
import unicodedata
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

MOST_QUOTED = 300  # characters of a library's message, or of a file's content, that one of ours repeats
_MOST_OF_A_NAME = 120  # where several are listed
_CUT = " ... "
_MOST_WRITTEN = 4000  # of one part of a message of ours
# What a terminal would obey instead of showing it: control characters, and those that turn the reading direction.
_OBEYED_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_VALUES = reprlib.Repr()  # aliases let a YAML file of ten lines stand for a list of ten thousand million
_VALUES.maxlevel, _VALUES.maxstring, _VALUES.maxother, _VALUES.maxlong = 3, 200, 200, 60

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
        self.what = _safe(what)
        self.expected = _safe(expected)
        self.fix = _safe(fix)

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


def is_interrupt(error: BaseException) -> bool:
    """Whether an exception is Ctrl-C, or what a library made of it."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, KeyboardInterrupt):
        seen = seen.__cause__ or seen.__context__
    return seen is not None


def one_line(error: object) -> str:
    """Return a library's error to be part of ours: in one line, of bounded length, nothing in it obeyed by terminals.

    Such messages repeat bytes of the file that is at fault, whatever those are.

    Example:
        >>> one_line(ValueError("bad node\\n  in \\x1b[2J line 1"))
        'bad node in \\\\x1b[2J line 1'
        >>> one_line(UnicodeDecodeError("utf-8", b"\\xff" * 9000, 0, 1, "invalid start byte"))
        "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
        >>> one_line(EOFError())
        'EOFError'
    """
    try:
        text = str(error)
    except Exception:  # a message that cannot even be put together
        text = ""
    return shorten(" ".join(text.split()) or type(error).__name__)


def first_problem(error: ValidationError) -> str:
    """Return where in a file, and what, pydantic found wrong first; like `one_line`, it may be part of a message.

    Example:
        >>> from pydantic import TypeAdapter
        >>> for kind, text in ((dict[str, list[int]], '{"a": [1, "b"]}'), (int, "{")):
        ...     try:
        ...         TypeAdapter(kind).validate_json(text)
        ...     except ValueError as error:
        ...         print(first_problem(error))
        a.1: Input should be a valid integer, unable to parse string as an integer
        Invalid JSON: EOF while parsing an object at line 1 column 1
    """
    first: Any = error.errors()[0]
    return shorten(": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"]))))


def quote(value: object) -> str:
    """Return a value found in a file as messages show it, cut where it is long, wide or deep.

    Example:
        >>> quote("bsm"), quote(list(range(100))), len(quote("x" * 1000))
        ("'bsm'", '[0, 1, 2, 3, 4, 5, ...]', 200)
        >>> quote(10**5000)  # which Python refuses to write out
        'an int'
    """
    try:
        text = _VALUES.repr(value)
    except Exception:
        name = type(value).__name__
        text = f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
    return shorten(text)


def shorten(text: str, most: int = MOST_QUOTED) -> str:
    """Return foreign text in one printable line, without its middle where it is longer than `most`.

    Example:
        >>> shorten("abcdefghijklmnopqrstuvwxyz", most=17)
        'abcdefgh ... wxyz'
    """
    if len(text) > most:
        kept = most - len(_CUT)
        text = text[: kept - kept // 3] + _CUT + text[len(text) - kept // 3 :]
    return printable(text).replace("\n", "\\n")


def printable(text: str) -> str:
    """Return text with the characters escaped that a terminal would obey instead of showing; line breaks stay.

    Example:
        >>> print(printable("größe\\x1b[2J"))
        größe\\x1b[2J
    """
    if not any(map(_is_obeyed, text)):
        return text
    return "".join(letter.encode("unicode_escape").decode() if _is_obeyed(letter) else letter for letter in text)


def suggest_name(name: str, valid: Iterable[str]) -> str:
    """Return "Did you mean 'x'?" for the closest valid name, or an empty string.

    Example:
        >>> suggest_name("bsm_r2D", ["none", "bsm", "n1d", "n2d"])
        "Did you mean 'bsm'?"
    """
    matches = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.4)
    return f"Did you mean {quote(matches[0])}?" if matches else ""


def some_names(names: Iterable[str], shown: int = 8) -> str:
    """Return the first few names, each once, and how many more there are.

    Example:
        >>> some_names("abca", shown=2)
        'a, b, ... 1 more'
    """
    listed = list(dict.fromkeys(names))
    more = f", ... {len(listed) - shown} more" if len(listed) > shown else ""
    return ", ".join(shorten(name, _MOST_OF_A_NAME) for name in listed[:shown]) + more


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
        f"Unknown {kind} {quote(name)}{place}.",
        f"one of: {', '.join(names)}.",
        suggest_name(name, names) or f"Use one of the names above for the {kind}.",
    )


def _safe(text: str) -> str:
    """Return a part of a message with what it quotes made harmless; texts of our own pass unchanged."""
    if len(text) <= _MOST_WRITTEN and printable(text) is text:
        return text
    lines = "\n".join(shorten(line, _MOST_WRITTEN) for line in text.split("\n"))
    return CommandText(lines) if isinstance(text, CommandText) else lines


def _is_obeyed(character: str) -> bool:
    if character.isascii():
        return (character < " " and character not in "\t\n") or character == "\x7f"
    return character in _TURNING or unicodedata.category(character) in _OBEYED_CATEGORIES
