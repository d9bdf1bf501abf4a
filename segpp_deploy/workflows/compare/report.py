"""The files of a comparison: for scripts, as Markdown, for spreadsheets, and a page to look at."""

from __future__ import annotations

import csv
import io

from segpp_deploy.errors import SegppError
from segpp_deploy.files import write_text
from segpp_deploy.report.json_report import to_json
from segpp_deploy.report.tables import to_markdown
from segpp_deploy.workflows.compare.page import render_comparison
from segpp_deploy.workflows.compare.result import CompareResult

TITLE = "Merge modes on this machine"


def write_report(result: CompareResult) -> tuple[str, ...]:
    """Write compare.json, compare.md, compare.csv and, where its library is installed, compare.html.

    Returns:
        What the user should know: why there is no page.
    """
    write_text(result.out / "compare.json", to_json(result.to_dict()) + "\n")
    write_text(result.out / "compare.csv", to_csv(result))
    tables = [f"## {table.title}\n\n{to_markdown(table)}" for table in result.tables()]
    notes = "\n".join(f"* {note}" for note in result.notes)
    parts = (f"# {TITLE}", result.describe_conditions(), *tables, notes)
    write_text(result.out / "compare.md", "\n\n".join(filter(None, parts)) + "\n")
    try:
        write_text(result.html, render_comparison(result, TITLE))
    except SegppError as error:  # the figures are worth more than their page
        return (f"{error.what} There is no {result.html.name}, then: install {error.expected}",)
    return ()


def to_csv(result: CompareResult) -> str:
    """Return the rows with the figures as numbers; one column for each field, lists and mappings left out."""
    text = io.StringIO()
    rows = [result.row_to_dict(row) for row in result.rows]
    plain = [name for name, value in rows[0].items() if not isinstance(value, dict | list)]
    writer = csv.DictWriter(text, plain, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
