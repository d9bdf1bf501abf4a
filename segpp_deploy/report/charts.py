"""Charts as SVG text, to be put into a page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from segpp_deploy.report.extra import import_report_library

_ACCENT = "#2f6f4f"
_BASELINE = "#8a8f98"
_INK = "#333a45"


@dataclass(frozen=True)
class ChartPoint:
    """One measured alternative; the baseline is drawn in grey."""

    label: str
    x: float
    y: float
    is_baseline: bool = False


@dataclass(frozen=True)
class ChartLine:
    """One alternative over a range; the first line is the baseline, in grey."""

    label: str
    points: Sequence[tuple[float, float]]


def draw_lines(lines: Sequence[ChartLine], x_label: str, y_label: str) -> str:
    """Return lines on logarithmic axes as an SVG element; the same points give the same text.

    Raises:
        SegppError: matplotlib is not installed.
    """
    figure_module = import_report_library("matplotlib.figure")
    with _style():
        figure = figure_module.Figure(figsize=(7.2, 3.8), layout="constrained")
        axes = figure.add_subplot()
        for index, line in enumerate(lines):
            x, y = zip(*line.points, strict=True)
            style = {"color": _BASELINE} if index == 0 else {}
            axes.plot(x, y, marker="o", label=line.label, zorder=3, **style)
        axes.set(xscale="log", yscale="log")
        axes.set_xlabel(x_label, color=_INK)
        axes.set_ylabel(y_label, color=_INK)
        axes.grid(color="#e6e8eb", zorder=0)
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        return _to_svg(figure)


def draw_tradeoff(points: Sequence[ChartPoint], x_label: str, y_label: str) -> str:
    """Return a scatter chart as an SVG element; the same points give the same text.

    Raises:
        SegppError: matplotlib is not installed.
    """
    figure_module = import_report_library("matplotlib.figure")
    with _style():
        figure = figure_module.Figure(figsize=(7.2, 3.8), layout="constrained")
        axes = figure.add_subplot()
        for point in points:
            colour = _BASELINE if point.is_baseline else _ACCENT
            axes.scatter(point.x, point.y, s=64, color=colour, zorder=3)
            axes.annotate(point.label, (point.x, point.y), xytext=(7, 6), textcoords="offset points", color=_INK)
        axes.set_xlabel(x_label, color=_INK)
        axes.set_ylabel(y_label, color=_INK)
        axes.set_xlim(left=0)
        axes.margins(x=0.12, y=0.25)
        axes.grid(color="#e6e8eb", zorder=0)
        axes.spines[["top", "right"]].set_visible(False)
        return _to_svg(figure)


def draw_bars(labels: Sequence[str], values: Sequence[float], x_label: str, marked: frozenset[str]) -> str:
    """Return a horizontal bar chart as an SVG element, the first bar on top; marked bars are drawn in colour.

    Raises:
        SegppError: matplotlib is not installed.
    """
    figure_module = import_report_library("matplotlib.figure")
    with _style():
        figure = figure_module.Figure(figsize=(7.2, 0.6 + 0.26 * len(labels)), layout="constrained")
        axes = figure.add_subplot()
        colours = [_ACCENT if label in marked else _BASELINE for label in labels]
        axes.barh(range(len(labels)), values, color=colours, zorder=3)
        axes.set_yticks(range(len(labels)), labels, color=_INK)
        axes.invert_yaxis()
        axes.set_xlabel(x_label, color=_INK)
        axes.grid(axis="x", color="#e6e8eb", zorder=0)
        axes.spines[["top", "right"]].set_visible(False)
        return _to_svg(figure)


def _style() -> AbstractContextManager[None]:
    matplotlib = import_report_library("matplotlib")
    style: AbstractContextManager[None] = matplotlib.rc_context(
        {"svg.hashsalt": "segpp", "font.family": "sans-serif", "font.size": 10}
    )
    return style


def _to_svg(figure: Any) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
