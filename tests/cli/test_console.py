"""Results go to stdout, everything else to stderr."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from segpp_deploy.cli import console
from segpp_deploy.cli.console import Output
from segpp_deploy.report.tables import Column, Table

TABLE = Table("", (Column("mode", False),), (("[fast]",),))


@dataclass(frozen=True)
class Result:
    """What a command might return."""

    values: Mapping[str, Any] = field(default_factory=dict)
    shown: tuple[Table, ...] = ()
    text: str = ""
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return dict(self.values)

    def tables(self) -> tuple[Table, ...]:
        return self.shown

    def summary(self) -> str:
        return self.text


def test_json_is_the_only_thing_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(json=True)
    output.note("working")
    with output.progress() as progress:
        progress("Step one", 0, 2)
        progress("Step one", 2, 2)
        progress("Step two", 1, 1)
    output.show(Result({"path": Path("a"), "miou": float("nan")}, (TABLE,), notes=("Note.",)))
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"path": "a", "miou": None}
    assert captured.err == "working\nStep one\nStep two\nNote.\n"


def test_people_get_tables(capsys: pytest.CaptureFixture[str]) -> None:
    Output().show(Result(shown=(TABLE,), text="Wrote [a].onnx " + "x" * 300))
    out = capsys.readouterr().out
    assert "[fast]" in out
    assert "Wrote [a].onnx " + "x" * 300 + "\n" in out  # neither wrapped nor read as markup


def test_quiet_keeps_the_result_only(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(quiet=True)
    output.note("working")
    with output.progress() as progress:
        progress("Step", 0, 1)
    output.show(Result(text="done", notes=("Note.",)))
    assert capsys.readouterr() == ("done\n", "")


@pytest.mark.parametrize(
    ("encoding", "name"), [("ascii", "straße"), ("cp1252", "日本"), ("utf-8", "a\udcc3"), ("utf-8", "ß")]
)
def test_names_that_stdout_cannot_show(encoding: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(console.sys, "stdout", stream)
    Output(json=True).show(Result({"path": name}))
    stream.seek(0)
    assert json.loads(stream.read()) == {"path": name}
    Output().show(Result(shown=(Table("", (Column("name", False),), ((name,),)),), text=name))


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    screen = io.StringIO()
    make_console = lambda **_: Console(file=screen, force_terminal=True, width=100)  # noqa: E731
    monkeypatch.setattr("rich.console.Console", make_console)
    monkeypatch.setattr(console.sys.stderr, "isatty", lambda: True, raising=False)
    with Output().progress() as progress:
        progress("Unfinished", 0, 3)
        progress("Counted", 0, 2)
        progress("Counted", 2, 2)
    last_frame = screen.getvalue().split("\x1b[2K")[-1]
    assert "2/2" in last_frame
    assert "Unfinished" not in last_frame
    assert capsys.readouterr().out == ""
