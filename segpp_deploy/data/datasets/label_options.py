"""How label files are to be read where their values are not class indices: what `KIND:PATH?OPTION` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from segpp_deploy.config import Choice, parse_choice
from segpp_deploy.errors import SegppError, unknown_name_error

SEPARATOR = "&"
_LARGEST = 65535  # of the values that a 16-bit label map holds


class DrawnOn(Choice):
    """What label maps were drawn on, where a picture's EXIF orientation turns it and their size does not tell."""

    STORED = "stored"
    UPRIGHT = "upright"


@dataclass(frozen=True)
class LabelOptions:
    """What the user says about label files; the default reads them as their data set's format has it.

    Args:
        reduce: they count from 1, and 0 is not labelled (`reduce_zero_label`, `do_reduce_labels`).
        foreground: of two classes, the value that stands for the second one; the first one is 0.
        ignore: values that do not count.
        drawn_on: what the labels of turned pictures were drawn on; None where nobody said.
    """

    reduce: bool = False
    foreground: int | None = None
    ignore: frozenset[int] = frozenset()
    drawn_on: DrawnOn | None = None

    def __str__(self) -> str:
        parts = ["reduce"] if self.reduce else []
        parts += [] if self.foreground is None else [f"foreground={self.foreground}"]
        parts += [f"ignore={value}" for value in sorted(self.ignore)]
        parts += [] if self.drawn_on is None else [f"labels={self.drawn_on}"]
        return SEPARATOR.join(parts)

    @property
    def renumbers(self) -> bool:
        """Whether any value means something else than the data set's format says."""
        return self.reduce or self.foreground is not None or bool(self.ignore)


AS_STORED = LabelOptions()


def parse_label_options(text: str, where: str) -> LabelOptions:
    """Parse what follows the `?` of `KIND:PATH?OPTION&OPTION`.

    Args:
        text: e.g. "reduce" or "foreground=255&ignore=7".
        where: the whole, for messages.

    Raises:
        SegppError: an unknown option, a value that is none, or options that contradict each other.

    Example:
        >>> print(parse_label_options("ignore=7&reduce", "folder:data?ignore=7&reduce"))
        reduce&ignore=7
    """
    options = AS_STORED
    for part in text.split(SEPARATOR):
        name, _, value = part.partition("=")
        if name not in _PARSERS:
            raise unknown_name_error("option of a data set", part, _SPELLINGS, where)
        options = _PARSERS[name](options, value, part)
    if options.reduce and options.foreground is not None:
        raise SegppError(
            f"{where} asks for reduce and for foreground.",
            "one of the two: labels that count from 1, or masks of two values.",
            "Leave one of them out.",
        )
    return options


def _reduce(options: LabelOptions, value: str, part: str) -> LabelOptions:
    if value:
        raise _not_a_value(part, "reduce")
    return replace(options, reduce=True)


def _foreground(options: LabelOptions, value: str, part: str) -> LabelOptions:
    return replace(options, foreground=_label_value(value, part, lowest=1))


def _ignore(options: LabelOptions, value: str, part: str) -> LabelOptions:
    return replace(options, ignore=options.ignore | {_label_value(value, part)})


def _drawn_on(options: LabelOptions, value: str, part: str) -> LabelOptions:
    return replace(options, drawn_on=parse_choice(DrawnOn, value, "way to draw labels"))


def _label_value(text: str, part: str, lowest: int = 0) -> int:
    if not (text.isdecimal() and lowest <= int(text) <= _LARGEST):
        raise _not_a_value(part, f"{part.partition('=')[0]}=255")
    return int(text)


def _not_a_value(part: str, example: str) -> SegppError:
    return SegppError(
        f"{part!r} is no option of a data set.",
        f"one of: {', '.join(_SPELLINGS)} (V: a value that the label files hold).",
        f"Write it as in {example}.",
    )


_PARSERS: Mapping[str, Callable[[LabelOptions, str, str], LabelOptions]] = {
    "reduce": _reduce,
    "foreground": _foreground,
    "ignore": _ignore,
    "labels": _drawn_on,
}
_SPELLINGS = ("reduce", "foreground=V", "ignore=V", *(f"labels={choice}" for choice in DrawnOn))
