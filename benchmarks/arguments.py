"""The command lines of benchmarks."""

from __future__ import annotations

import argparse
from collections.abc import Iterable


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser without options that shows a module's description as it is written."""
    return argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)


def parse_parts(description: str | None, **axes: Iterable[object]) -> argparse.Namespace:
    """Parse `--AXIS VALUE [VALUE ...]` for every axis; values are text, and an absent axis is whole.

    So a long benchmark is measured in parts; without an axis there is only `--help`.
    """
    parser = make_parser(description)
    add_parts(parser, **axes)
    return parser.parse_args()


def add_parts(parser: argparse.ArgumentParser, **axes: Iterable[object]) -> None:
    """Let a parser take `--AXIS VALUE [VALUE ...]` as `parse_parts` does."""
    for axis, values in axes.items():
        choices = list(map(str, values))
        parser.add_argument(f"--{axis}", nargs="+", choices=choices, default=choices)
