"""The command line of benchmarks that are measured in parts: one option for each axis, everything by default."""

from __future__ import annotations

import argparse
from collections.abc import Iterable


def parse_parts(description: str | None, **axes: Iterable[object]) -> argparse.Namespace:
    """Parse `--AXIS VALUE [VALUE ...]` for every axis; values are text, and an absent axis is whole."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for axis, values in axes.items():
        choices = list(map(str, values))
        parser.add_argument(f"--{axis}", nargs="+", choices=choices, default=choices)
    return parser.parse_args()
