"""Write docs/licences.md from what benchmarks/toolchain/licences.py recorded.

python -m benchmarks.pages.licences
"""

from __future__ import annotations

import json
import re

from benchmarks.arguments import parse_parts
from benchmarks.recording import RESULTS, ROOT, Document, Row
from benchmarks.section import number_columns, text_columns
from segpp_deploy.files import write_text
from segpp_deploy.report.tables import Table, to_markdown

PAGE = ROOT / "docs/licences.md"
RESULT = RESULTS / "licences.json"
INTRODUCTION = """\
# Licences of what is installed

<!-- written by benchmarks/pages/licences.py; edits here are lost -->

segpp-deploy is Apache-2.0 and contains no code of others. This lists what `pip install 'segpp-deploy[EXTRA]'` brings
along: the licence that each package states, and what asks for it. It is no legal advice, and other platforms and later
versions differ."""
AGAIN = """\
## Again, and as a bill of materials

    python -m benchmarks.toolchain.licences
    python -m benchmarks.pages.licences

The first installs everything into an environment of its own and records it. A bill of materials of the wheel with
ONNX Runtime, OpenVINO and reports (CycloneDX JSON) is made, checked and published with each release:

    python -m benchmarks.toolchain.distributions --out dist"""
_STRICT = re.compile(r"(?<!L)GPL(?!.* WITH )|(?<!Lesser )General Public License")
_PROPRIETARY = re.compile("proprietary|nvidia", re.IGNORECASE)


def render_page(recorded: Document) -> str:
    """Return the page."""
    rows: list[Row] = recorded["rows"]
    python, measured = recorded["python"], recorded["measured"]
    parts = [INTRODUCTION, "## What to look at"]
    parts += [f"* **{title}**: {text}" for title, text in remarks(rows).items()]
    parts += ["## Packages", to_markdown(table_of(rows))]
    parts.append(f"Direct dependencies are bold. Python {python} on Linux x86-64, {measured}, `{recorded['command']}`.")
    return "\n\n".join([*parts, AGAIN]) + "\n"


def remarks(rows: list[Row]) -> dict[str, str]:
    """Return what deserves a look before an installation is handed on, by heading."""
    strict = [f"{_name(row)} carries {one}" for row in rows for one in row["carries"] if is_strict(one)]
    strict += [f"{_name(row)} is {row['licence']}" for row in rows if is_strict(row["licence"])]
    proprietary = [_name(row) for row in rows if _PROPRIETARY.search(row["licence"])]
    unknown = [_name(row) for row in rows if row["licence"] == "UNKNOWN"]
    return {
        "GPL": f"{_listed(strict)}. It concerns who hands these wheels on, in an image of a container for one.",
        "NVIDIA's own terms": f"{_listed(proprietary)}. Not open source: those terms say what may be handed on. "
        "PyTorch is listed as the build for CPUs; PyPI's for Linux brings NVIDIA's CUDA libraries, under such terms.",
        "Not stated": f"{_listed(unknown)}.",
    }


def is_strict(licence: str) -> bool:
    """Whether a licence is the GPL or the AGPL, with no exception and no other to choose.

    Example:
        >>> [is_strict(one) for one in ("GPL-2.0-or-later", "LGPL-3.0-only OR GPL-2.0-only", "GPL-3.0-only WITH x")]
        [True, False, False]
    """
    return all(_STRICT.search(choice) for choice in licence.split(" OR "))


def table_of(rows: list[Row]) -> Table:
    """Return a row for each package."""
    columns = (
        *text_columns("package"),
        *number_columns("version"),
        *text_columns("licence", "carries", "asked for by"),
    )
    return Table("", columns, tuple(map(_cells, rows)))


def _cells(row: Row) -> tuple[str, ...]:
    package = f"**{row['package']}**" if row["direct"] else row["package"]
    asked = ", ".join(f"`{extra}`" if extra else "always" for extra in row["asked_by"])
    return package, row["version"] or "not installed here", row["licence"], ", ".join(row["carries"]), asked


def _name(row: Row) -> str:
    return f"`{row['package']}`"


def _listed(words: list[str]) -> str:
    return ", ".join(words) or "none"


def main() -> None:
    parse_parts(__doc__)
    write_text(PAGE, render_page(json.loads(RESULT.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
