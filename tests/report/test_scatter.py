from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from segpp_deploy.report.scatter import ScatterPoint, draw_mark, draw_scatter

SIZE = (760, 400)


def point(x: float, y: float, label: str = "", series: int = 0) -> ScatterPoint:
    return ScatterPoint(x, y, label, f"{label} <{x}>", series, row=3)


def places(svg: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)]


def test_more_is_right_and_up() -> None:
    svg = draw_scatter([point(10, 70), point(20, 60)], [(10, 70)], ("ms", "mIoU in %"), SIZE)
    (fast, slow) = sorted(places(svg))
    assert fast[0] < slow[0]
    assert fast[1] < slow[1], "SVG counts downwards"
    assert all(0 < x < SIZE[0] and 0 < y < SIZE[1] for x, y in places(svg))
    root = ElementTree.fromstring(svg)
    assert root.get("aria-label") == "mIoU in % against ms"
    assert {one.get("data-row") for one in root.iter("g")} == {"3"}
    assert "&lt;10" in svg


def labels(svg: str) -> dict[str, tuple[float, float]]:
    found = re.findall(r'class="label" x="([\d.]+)" y="([\d.]+)">([^<]+)<', svg)
    return {text: (float(x), float(y)) for x, y, text in found}


def test_labels_lie_on_no_mark_and_on_no_label() -> None:
    svg = draw_scatter([point(10, 70, "hq"), point(10.3, 70), point(10, 60, "fast")], [(10, 70)], ("ms", "mIoU"), SIZE)
    (_, y), _, (x_low, y_low) = places(svg)
    assert labels(svg)["hq"][1] < y - 7, "above: a mark is to the right"
    assert labels(svg)["fast"][0] > x_low, "to the right: it is free"
    assert abs(labels(svg)["fast"][1] - y_low) < 8
    crowded = [point(10 + 0.01 * number, 70, f"mode {number}") for number in range(9)]
    shown = labels(draw_scatter([*crowded, point(30, 60)], [(10, 70)], ("ms", "mIoU"), SIZE))
    assert 2 <= len(shown) < 9
    assert len(set(shown.values())) == len(shown)


def test_the_last_label_has_room() -> None:
    text = "a long name of a mode"
    svg = draw_scatter([point(1, 1), point(100, 2, text)], [(1, 1)], ("ms", "mIoU"), (340, 320))
    assert labels(svg)[text][0] + 6 * len(text) < 340


@pytest.mark.parametrize("points", [[point(5, 5)], [point(0, 0)], [point(1e-3, 50), point(1e4, 50)]])
def test_degenerate_axes_have_ticks(points: list[ScatterPoint]) -> None:
    svg = draw_scatter(points, [(5, 5)], ("ms", "px"), SIZE)
    assert svg.count('class="grid"') > 4
    assert "nan" not in svg


def test_series_differ_in_their_marks() -> None:
    assert len({draw_mark(series) for series in range(6)}) == 6
