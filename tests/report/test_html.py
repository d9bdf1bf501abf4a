from __future__ import annotations

import base64
import re
import sys

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.report.charts import ChartPoint, draw_tradeoff
from segpp_deploy.report.html import Picture, Section, render_page
from segpp_deploy.report.tables import Column, Table

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
POINTS = [ChartPoint("original", 20.0, 0.80, is_baseline=True), ChartPoint("fast", 10.0, 0.79)]


def test_page_holds_everything_inside_itself() -> None:
    table = Table("", (Column("mode", False), Column("ms")), (("a < b", "1.0"),))
    section = Section("Modes", "Text & more.", table, draw_tradeoff(POINTS, "ms", "mIoU"), Picture(PNG, "A street"))
    page = render_page("Report", "Lead.", [section, Section("Again", commands=("segpp-deploy demo",))])
    assert "a &lt; b" in page
    assert "Text &amp; more." in page
    assert f"data:image/png;base64,{base64.b64encode(PNG).decode()}" in page
    assert '<td class="number">1.0</td>' in page
    assert "<pre>segpp-deploy demo</pre>" in page
    assert "<svg" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page), "nothing may be fetched"


def test_chart_is_the_same_every_time() -> None:
    assert draw_tradeoff(POINTS, "ms", "mIoU") == draw_tradeoff(POINTS, "ms", "mIoU")


def test_jpeg_is_told_from_png() -> None:
    assert Picture(b"\xff\xd8\xff", "").uri.startswith("data:image/jpeg;")


@pytest.mark.parametrize("library", ["jinja2", "matplotlib"])
def test_missing_library_names_the_extra(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(SegppError, match=f"needs {library}") as caught:
        render_page("", "", []) if library == "jinja2" else draw_tradeoff(POINTS, "", "")
    assert "segpp-deploy[report]" in caught.value.fix
