"""What the page of a comparison shows, for its template."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.data.images import read_image
from segpp_deploy.report.html import data_uri, render
from segpp_deploy.report.numbers import format_percent
from segpp_deploy.report.scatter import ScatterPoint, draw_mark, draw_scatter
from segpp_deploy.runtimes.registry import TARGETS
from segpp_deploy.tuning.search.choice import front_of
from segpp_deploy.workflows.compare.columns import FIGURES, heading_of
from segpp_deploy.workflows.compare.gallery import Gallery, Look, TokenPicture
from segpp_deploy.workflows.compare.options import Axis
from segpp_deploy.workflows.compare.pictures import QUALITY, encode_webp
from segpp_deploy.workflows.compare.result import CompareResult, Row

MOST_PICTURE_BYTES = 3_400_000
"""As text they take a third more; the page is to stay below 5 MB."""

_CHART_SIZES = {"wide": (760, 400), "narrow": (340, 320)}
_SHRINKING = ((512, 75), (400, 70), (320, 60), (240, 50))  # widths and qualities, until the pictures fit

Values = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """A cell of the page's table: its text, and the number that it is sorted by."""

    text: str
    number: float | None = None


def render_comparison(result: CompareResult, title: str) -> str:
    """Return the page.

    Raises:
        SegppError: jinja2 is not installed.
    """
    rows = [result.row_to_dict(row) for row in result.rows]
    axes = _axes(result)
    page = render(
        "compare.html.j2",
        title=title,
        lead=result.describe_conditions(),
        notes=result.notes,
        axes=axes,
        choices={axis: list(dict.fromkeys(row[axis] for row in rows)) for axis in (*axes, "status")},
        figures=[(heading_of(figure, rows), figure.explanation) for figure in FIGURES],
        rows=[_table_row(row, axes) for row in rows],
        charts=_charts(result, axes),
        series=[(draw_mark(number), name) for number, name in enumerate(_series(result))],
        per_class=_per_class(result, rows, axes),
        galleries=[_show(gallery) for gallery in result.galleries],
        uris=_embed(result.galleries, result.pictures),
        commands=[
            (_name(row, axes), row["commands"], number)
            for number, row in enumerate(rows)
            if row["value"] is not None and row["commands"]
        ],
        command=result.command,
        environment=result.environment.rows,
    )
    return f"{page}\n"


def _axes(result: CompareResult) -> list[str]:
    """Return what tells rows apart, the mode first: it stays in view where a table is wider than the screen."""
    axes = [str(axis) for axis in result.varying]
    return [str(Axis.MODE), *(axis for axis in axes if axis != Axis.MODE)]


def _name(row: Values, axes: Sequence[str]) -> str:
    return ", ".join(str(row[axis]) for axis in axes)


def _table_row(row: Values, axes: Sequence[str]) -> Values:
    cells = [Cell(figure.text(row), row[figure.key]) for figure in FIGURES]
    while row["reason"] and cells and not cells[-1].text:
        cells.pop()
    return {
        "axes": {axis: row[axis] for axis in axes},
        "status": row["status"],
        "cells": cells,
        "span": len(FIGURES) - len(cells),
        "reason": f"{row['status']}: {row['reason']}",
    }


def _series(result: CompareResult) -> list[str]:
    return list(dict.fromkeys(_series_of(row) for row in result.rows if _is_point(row)))


def _series_of(row: Row) -> str:
    engine = row.cell.candidate.engine
    return f"{TARGETS[engine.target].runtime}, {engine.precision}"


def _charts(result: CompareResult, axes: Sequence[str]) -> dict[str, str]:
    """Return the chart of accuracy against latency for wide and for narrow screens."""
    series = _series(result)
    done = [(number, row) for number, row in enumerate(result.rows) if _is_point(row)]
    if not done:
        return {}
    front = front_of(done, lambda one: _latency(one[1]), lambda one: _loss(one[1]))
    best = {number for number, _ in front}
    points = [
        ScatterPoint(
            _latency(row),
            _shown_score(row),
            row.cell.candidate.plan.name if number in best else "",
            f"{_name(result.row_to_dict(row), axes)}: {_latency(row):.1f} ms, {_shown_score(row):.2f}",
            series.index(_series_of(row)),
            number,
        )
        for number, row in done
    ]
    corners = [(_latency(row), _shown_score(row)) for _, row in front]
    judged = done[0][1].judged
    assert judged is not None
    headline = judged.evaluation.headline
    labels = "latency in ms (median)", f"{headline.name} in {'%' if headline.unit.higher_is_better else 'px'}"
    return {name: draw_scatter(points, corners, labels, size) for name, size in _CHART_SIZES.items()}


def _is_point(row: Row) -> bool:
    return row.timed is not None and row.judged is not None and row.judged.evaluation.headline.is_number


def _latency(row: Row) -> float:
    assert row.timed is not None
    return row.timed.latency_ms


def _shown_score(row: Row) -> float:
    assert row.judged is not None
    headline = row.judged.evaluation.headline
    return 100 * headline.value if headline.unit.higher_is_better else headline.value


def _loss(row: Row) -> float:
    assert row.judged is not None
    return -_shown_score(row) if row.judged.evaluation.headline.unit.higher_is_better else _shown_score(row)


def _per_class(result: CompareResult, rows: Sequence[Values], axes: Sequence[str]) -> Values:
    """Return the headline's parts: a line for each class, a column for each row of the table."""
    judged = [(number, row) for number, row in enumerate(result.rows) if row.judged]
    columns = [(number, _name(rows[number], axes)) for number, _ in judged]
    names = dict.fromkeys(name for number, _ in judged for name in rows[number]["per_class"])
    lines = []
    for name in names:
        values = [rows[number]["per_class"].get(name, math.nan) for number, _ in judged]
        first = values[0]
        cells = [
            (number, format_percent(value, 1), 0.0 if math.isnan(value - first) else round(100 * (value - first), 2))
            for (number, _), value in zip(judged, values, strict=True)
        ]
        lines.append((name, cells))
    return {"columns": columns, "lines": lines, "name": _per_class_name(judged), "reference": columns and columns[0][1]}


def _per_class_name(judged: Sequence[tuple[int, Row]]) -> str:
    for _, row in judged:
        assert row.judged is not None
        return row.judged.evaluation.per_class.name
    return ""


def _show(gallery: Gallery) -> Values:
    """Return a gallery with what its slider begins with: the first mode, and what the last one says otherwise."""
    names = list(gallery.samples[0].names)
    modes = list(dict.fromkeys(view.mode for view in gallery.samples[0].of(Look.PREDICTION)))
    tokens: dict[str, list[TokenPicture]] = {}
    for one in gallery.tokens:
        tokens.setdefault(one.mode, []).append(one)
    return {
        "model": gallery.model,
        "size": gallery.size,
        "reference": gallery.reference,
        "legend": gallery.legend,
        "samples": gallery.samples,
        "views": names,
        "files": [sample.names for sample in gallery.samples],
        "left": modes[0],
        "right": modes[1] if len(modes) > 1 else str(Look.PICTURE),
        "errors": [(sample.name, sample.of(Look.ERRORS)) for sample in gallery.samples if sample.of(Look.ERRORS)],
        "tokens": tokens,
    }


def _embed(galleries: Sequence[Gallery], folder: Path) -> Mapping[str, str]:
    """Return each picture as an address that holds it, smaller where all together are too large."""
    files = [name for gallery in galleries for name in gallery.files]
    data = {name: (folder / name).read_bytes() for name in files}
    for width, quality in _SHRINKING:
        if sum(map(len, data.values())) <= MOST_PICTURE_BYTES:
            break
        data = {name: encode_webp(read_image(folder / name), width, min(quality, QUALITY)) for name in files}
    return {name: data_uri(content) for name, content in data.items()}
