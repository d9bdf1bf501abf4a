from __future__ import annotations

import io

import pytest
from rich.console import Console

from segpp_deploy.report.tables import Column, Table, to_markdown, to_rich

TABLE = Table("Speed", (Column("mode", False), Column("ms")), (("fast|er", "12.0"), ("[red]", "1.5")))


def test_markdown_aligns_and_escapes() -> None:
    lines = to_markdown(TABLE).split("\n")
    assert lines[1] == "| :--- | ---: |"
    assert lines[2] == r"| fast\|er | 12.0 |"


def test_terminal_table_shows_every_cell_literally() -> None:
    console = Console(file=io.StringIO(), width=60)
    console.print(to_rich(TABLE))
    text = console.file.getvalue()
    for cell in ("Speed", "mode", "fast|er", "[red]", "1.5"):
        assert cell in text


def test_a_title_may_be_wider_than_its_table() -> None:
    console = Console(file=io.StringIO(), width=60)
    console.print(to_rich(Table("a title of forty characters and one more", TABLE.columns, ())))
    assert console.file.getvalue().startswith("a title of forty characters and one more\n")


def test_nothing_is_cut_in_a_narrow_terminal() -> None:
    columns = (Column("engine", False), *(Column(f"percentile {number}") for number in range(4)))
    console = Console(file=io.StringIO(), width=50)
    console.print(to_rich(Table("", columns, (("original.engine", *["1234.5"] * 4),))))
    text = console.file.getvalue()
    assert text.count("1234.5") == 4
    assert "…" not in text
    assert "original.engine" in "".join(line[:9].strip() for line in text.splitlines())


def test_ragged_row_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        Table("", TABLE.columns, (("fast",),))


def test_terminals_are_given_no_control_sequence_of_a_file() -> None:
    console = Console(file=io.StringIO(), width=60)
    rows = (("class \x1b]0;title\x07\u202e",), ("one\ntwo",))
    console.print(to_rich(Table("a\x1b[2J", (Column("", False),), rows)))
    text = console.file.getvalue()
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert r"class \x1b]0;title" in text
    assert [line.strip() for line in text.splitlines()][-3:-1] == ["one", "two"], "line breaks stay"
