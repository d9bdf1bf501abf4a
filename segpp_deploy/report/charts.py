"""Charts as SVG text, to be put into a page."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from segpp_deploy.report.extra import import_report_library

_ACCENT = "#2f6f4f"
_BASELINE = "#8a8f98"
_INK = "#333a45"
_WIDTH, _HEIGHT = 7.2, 3.8
_WIDE_RANGE = 4  # from here on a logarithmic axis shows the small values too
_STYLE = {"svg.hashsalt": "segpp", "font.family": "sans-serif", "font.size": 10, "axes.labelcolor": _INK}


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

    def draw(axes: Any) -> None:
        for index, line in enumerate(lines):
            x, y = zip(*line.points, strict=True)
            style = {"color": _BASELINE} if index == 0 else {}
            axes.plot(x, y, marker="o", label=line.label, zorder=3, **style)
        axes.set(xscale="log", yscale="log", ylabel=y_label)
        axes.legend(frameon=False)

    return _draw(draw, x_label)


def draw_distributions(lines: Sequence[ChartLine], x_label: str) -> str:
    """Return shares of 0 to 100 % over a value as steps, in an SVG element; the same points give the same text.

    Raises:
        SegppError: matplotlib is not installed.
    """

    def draw(axes: Any) -> None:
        for line in lines:
            axes.plot(*zip(*line.points, strict=True), drawstyle="steps-post", label=line.label, zorder=3)
        values = [x for line in lines for x, _ in line.points]
        if max(values) > _WIDE_RANGE * min(values) > 0:
            axes.set_xscale("log")
        axes.set(ylabel="% of calls", ylim=(0, 100))
        axes.legend(frameon=False)

    return _draw(draw, x_label)


def draw_warmup(lines: Sequence[ChartLine], warmup: int) -> str:
    """Return the times of first calls over their median in an SVG element; a line stands behind the warm-up.

    Raises:
        SegppError: matplotlib is not installed.
    """

    def draw(axes: Any) -> None:
        for line in lines:
            axes.plot(*zip(*line.points, strict=True), marker=".", label=line.label, zorder=3)
        axes.axvline(warmup + 0.5, color=_BASELINE, linestyle="dashed")
        axes.set(ylabel="time / median", ylim=(0, None))
        axes.legend(frameon=False)

    return _draw(draw, "call")


def draw_tradeoff(points: Sequence[ChartPoint], x_label: str, y_label: str) -> str:
    """Return a scatter chart as an SVG element; the same points give the same text.

    Raises:
        SegppError: matplotlib is not installed.
    """

    def draw(axes: Any) -> None:
        for point in points:
            colour = _BASELINE if point.is_baseline else _ACCENT
            axes.scatter(point.x, point.y, s=64, color=colour, zorder=3)
            axes.annotate(point.label, (point.x, point.y), xytext=(7, 6), textcoords="offset points", color=_INK)
        axes.set(ylabel=y_label)
        axes.set_xlim(left=0)
        axes.margins(x=0.12, y=0.25)

    return _draw(draw, x_label)


def draw_bars(labels: Sequence[str], values: Sequence[float], x_label: str, marked: frozenset[str]) -> str:
    """Return a horizontal bar chart as an SVG element, the first bar on top; marked bars are drawn in colour.

    Raises:
        SegppError: matplotlib is not installed.
    """

    def draw(axes: Any) -> None:
        colours = [_ACCENT if label in marked else _BASELINE for label in labels]
        axes.barh(range(len(labels)), values, color=colours, zorder=3)
        axes.set_yticks(range(len(labels)), labels, color=_INK)
        axes.invert_yaxis()

    return _draw(draw, x_label, height=0.6 + 0.26 * len(labels), grid="x")


def _draw(draw: Callable[[Any], None], x_label: str, height: float = _HEIGHT, grid: str = "both") -> str:
    """Return one pair of axes in the house style, with what `draw` puts on them, as an SVG element."""
    figure_module = import_report_library("matplotlib.figure")
    matplotlib = import_report_library("matplotlib")
    with matplotlib.rc_context(_STYLE):
        figure = figure_module.Figure(figsize=(_WIDTH, height), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.set(xlabel=x_label)
        axes.grid(axis=grid, color="#e6e8eb", zorder=0)
        axes.spines[["top", "right"]].set_visible(False)
        return _to_svg(figure)


def _to_svg(figure: Any) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
