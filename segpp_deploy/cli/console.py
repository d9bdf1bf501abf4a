"""What goes where: the result to stdout, as JSON or for people; progress and messages to stderr."""

from __future__ import annotations

import codecs
import contextlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segpp_deploy.errors import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as ProgressBar
    from rich.progress import TaskID

    from segpp_deploy.progress import Progress
    from segpp_deploy.workflows.result import CommandResult

_PIPE_WIDTH = 140  # columns where stdout is no terminal and rich would assume 80


@dataclass(frozen=True)
class Output:
    """The two output flags of a command."""

    json: bool = False
    quiet: bool = False

    def show(self, result: CommandResult) -> None:
        """Print what a command returned: its notes to stderr; to stdout JSON, or its tables and its summary."""
        for note in result.notes:
            self.note(note)
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a name that stdout cannot show is no reason to fail
        if self.json:
            from segpp_deploy.report.json_report import to_json

            print(to_json(result.to_dict(), ascii_only=not _is_utf8(sys.stdout.encoding)))
            return
        from segpp_deploy.report.tables import to_rich

        summary = printable(result.summary())
        console = _console(sys.stdout.isatty())
        for item in (*map(to_rich, result.tables()), *([summary] if summary else [])):
            console.print(item, highlight=False, soft_wrap=isinstance(item, str), markup=False, crop=False)

    def note(self, message: str) -> None:
        """Print a message to stderr, unless --quiet."""
        if not self.quiet:
            print(printable(message), file=sys.stderr)

    @contextlib.contextmanager
    def progress(self) -> Iterator[Progress]:
        """Yield the callback for long work: bars on a terminal, one line per step elsewhere, nothing with --quiet."""
        from segpp_deploy.progress import no_progress

        if self.quiet:
            yield no_progress
        elif sys.stderr.isatty():
            with _progress_bar() as bar:
                yield _BarProgress(bar)
        else:
            yield _LineProgress()


class _LineProgress:
    """Names each step once."""

    def __init__(self) -> None:
        self._last_step = ""

    def __call__(self, step: str, done: int, total: int) -> None:
        if step != self._last_step:
            print(step, file=sys.stderr, flush=True)
            self._last_step = step


class _BarProgress:
    """One bar per step; a step that ends before its count is full gives way to the next."""

    def __init__(self, bar: ProgressBar) -> None:
        self._bar = bar
        self._step = ""
        self._task: TaskID | None = None

    def __call__(self, step: str, done: int, total: int) -> None:
        if self._task is None or step != self._step:
            if self._task is not None and not self._bar.finished:
                self._bar.remove_task(self._task)
            self._step, self._task = step, self._bar.add_task(step, total=total)
        self._bar.update(self._task, completed=done, total=total)


def _is_utf8(encoding: str | None) -> bool:
    return codecs.lookup(encoding or "utf-8").name == "utf-8"


def _console(is_terminal: bool) -> Console:
    from rich.console import Console

    return Console(width=None if is_terminal else _PIPE_WIDTH)


def _progress_bar() -> ProgressBar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as ProgressBar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(elapsed_when_finished=False),
    )
    return ProgressBar(*columns, console=Console(stderr=True))
