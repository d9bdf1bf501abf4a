"""A table, once, for the terminal, for Markdown and for the HTML page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from segpp_deploy.errors import printable

if TYPE_CHECKING:
    from rich.console import Group


@dataclass(frozen=True)
class Column:
    """A heading; numbers stand flush right."""

    heading: str
    is_number: bool = True


@dataclass(frozen=True)
class Table:
    """Rows of finished text.

    Raises:
        ValueError: a row has another number of cells than there are columns.

    Example:
        >>> table = Table("Speed", (Column("mode", False), Column("ms")), (("fast", "12.0"),))
        >>> print(to_markdown(table))
        | mode | ms |
        | :--- | ---: |
        | fast | 12.0 |
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"row {row} has {len(row)} cells for {len(self.columns)} columns")


def to_markdown(table: Table) -> str:
    """Return a GitHub-flavoured table without the title."""
    lines = [
        _markdown_row(tuple(column.heading for column in table.columns)),
        _markdown_row(tuple("---:" if column.is_number else ":---" for column in table.columns)),
        *(_markdown_row(row) for row in table.rows),
    ]
    return "\n".join(lines)


def to_rich(table: Table) -> Group:
    """Return the title, as wide as the terminal, and the table below it."""
    from rich import box
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    result = RichTable(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_header=any(column.heading for column in table.columns),
    )
    for index, column in enumerate(table.columns):  # in a narrow terminal text breaks, but no number does
        widest = max((len(row[index]) for row in table.rows), default=0) if column.is_number else None
        justify: Literal["left", "right"] = "right" if column.is_number else "left"
        result.add_column(column.heading, justify=justify, overflow="fold", min_width=widest)
    for row in table.rows:
        result.add_row(*(Text(printable(cell)) for cell in row))
    return Group(*([Text(printable(table.title), style="italic")] if table.title else []), result)


def _markdown_row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
