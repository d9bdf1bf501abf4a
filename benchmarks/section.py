"""How a benchmark's recorded result is presented, the same on the terminal and in docs/measurements.md."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rich.console import Console

from benchmarks.recording import Row
from segpp_deploy.report.tables import Column, Table, to_rich

_PIPE_WIDTH = 140


@dataclass(frozen=True)
class Section:
    """A benchmark's section of docs/measurements.md.

    Args:
        heading: of the section.
        text: below the heading; names facts of the result file in braces, such as {size}.
        tables: make the tables of recorded rows.
        packages: those whose version matters.
        names_cpu_features: whether the instruction sets matter.
        machines_apart: whether each machine has tables of its own, as for times.
    """

    heading: str
    text: str
    tables: Callable[[list[Row]], list[Table]]
    packages: tuple[str, ...]
    names_cpu_features: bool = False
    machines_apart: bool = False

    def show(self, rows: list[Row]) -> None:
        """Print the tables."""
        console = Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)
        for table in self.tables(rows):
            console.print(to_rich(table))


class Benchmark(Protocol):
    """A module that records `results/NAME.json`, where NAME is the module's own, and says how to present it."""

    __name__: str
    SECTION: Section


def result_name(benchmark: Benchmark) -> str:
    """Return the name of a benchmark's result file, without suffix."""
    return benchmark.__name__.rpartition(".")[2]


def text_columns(*names: str) -> tuple[Column, ...]:
    """Return columns of words."""
    return tuple(Column(name, is_number=False) for name in names)


def number_columns(*names: str) -> tuple[Column, ...]:
    """Return columns of numbers."""
    return tuple(map(Column, names))
