"""One self-contained HTML page: style, charts and pictures are inside the file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segpp_deploy.report.extra import import_report_library
from segpp_deploy.report.tables import Table

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Picture:
    """A PNG or JPEG file's bytes."""

    data: bytes
    caption: str

    @property
    def uri(self) -> str:
        """The picture as a data: address."""
        kind = "png" if self.data.startswith(b"\x89PNG") else "jpeg"
        return f"data:image/{kind};base64,{base64.b64encode(self.data).decode()}"


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, in this order: text, table, chart (SVG), picture, commands."""

    heading: str
    text: str = ""
    table: Table | None = None
    chart_svg: str = ""
    picture: Picture | None = None
    commands: tuple[str, ...] = ()


def render_page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """Return the page.

    Raises:
        SegppError: jinja2 is not installed.
    """
    jinja2 = import_report_library("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page: str = environment.get_template("page.html.j2").render(title=title, lead=lead, sections=sections)
    return page
