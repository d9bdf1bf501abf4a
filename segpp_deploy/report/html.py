"""One self-contained HTML page: style, charts and pictures are inside the file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.report.extra import import_report_library
from segpp_deploy.report.tables import Table

_TEMPLATES = Path(__file__).parent / "templates"


def data_uri(data: bytes) -> str:
    """Return a PNG, WebP or JPEG file's content as an address that needs no other file.

    Example:
        >>> data_uri(b"RIFF....WEBPVP8 ")[:23]
        'data:image/webp;base64,'
    """
    kind = "png" if data.startswith(b"\x89PNG") else "webp" if data[8:12] == b"WEBP" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


@dataclass(frozen=True)
class Picture:
    """A PNG or JPEG file's bytes."""

    data: bytes
    caption: str

    @property
    def uri(self) -> str:
        """The picture as a data: address."""
        return data_uri(self.data)


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
    return render("page.html.j2", title=title, lead=lead, sections=sections)


def render(template: str, **values: Any) -> str:
    """Return a page made of one of this package's templates.

    Raises:
        SegppError: jinja2 is not installed.
    """
    jinja2 = import_report_library("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page: str = environment.get_template(template).render(**values)
    return page
