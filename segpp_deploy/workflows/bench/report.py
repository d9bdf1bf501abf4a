"""The files of a benchmark: for scripts, as Markdown, and a page to look at."""

from __future__ import annotations

from pathlib import Path

from segpp_deploy.errors import SegppError
from segpp_deploy.files import write_text
from segpp_deploy.report.json_report import to_json
from segpp_deploy.report.tables import to_markdown
from segpp_deploy.workflows.bench.page import render_benchmark
from segpp_deploy.workflows.bench.result import BenchResult

REPORT_NAME = "bench.json"
_PAGE_NAME = "bench.html"
_TITLE = "Benchmark"


def write_report(result: BenchResult, folder: Path) -> tuple[str, ...]:
    """Write bench.json, bench.md and, where its libraries are installed, bench.html.

    Returns:
        What the user should know: why there is no page.
    """
    sections = [f"## {table.title}\n\n{to_markdown(table)}" for table in result.tables()]
    notes = "\n".join(f"* {note}" for note in result.notes)
    parts = (f"# {_TITLE}", result.environment.in_one_line, *sections, notes)
    write_text(folder / REPORT_NAME, to_json(result.to_dict()) + "\n")
    write_text(folder / "bench.md", "\n\n".join(filter(None, parts)) + "\n")
    try:
        page = render_benchmark(result, _TITLE)
    except SegppError as error:  # the figures are worth more than their page
        return (f"{error.what} There is no {_PAGE_NAME}, then: install {error.expected}",)
    write_text(folder / _PAGE_NAME, page)
    return ()
