"""A scatter chart as SVG whose colours a page's style sheet says, so that it follows the page into the dark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 16, 14, 44  # margins in pixels
_LETTER_PX, _LINE_PX = 7.6, 15  # of 12 px text in bold
_MARK_PX = 7  # from a mark's centre to its edge
_MARKS = ("circle", "square", "diamond", "triangle")


@dataclass(frozen=True)
class ScatterPoint:
    """One point.

    Args:
        x: to the right.
        y: upwards.
        label: beside the point, where there is room for it; "" for none.
        title: what a pointer that rests on it is told.
        series: which colour and mark.
        row: what the page calls it, to hide it.
    """

    x: float
    y: float
    label: str
    title: str
    series: int
    row: int


def draw_scatter(
    points: Sequence[ScatterPoint], front: Sequence[tuple[float, float]], axes: tuple[str, str], size: tuple[int, int]
) -> str:
    """Return an SVG element; the same points give the same text.

    Args:
        points: at least one.
        front: the corners of a line through some of them, from left to right.
        axes: what stands at the axes, x and y.
        size: width and height in pixels.
    """
    width, height = size
    x_axis = _Axis.over([0.0, *(point.x for point in points)], _LEFT, width - _RIGHT, (width - _LEFT) // 80)
    y_axis = _Axis.over([point.y for point in points], height - _BOTTOM, _TOP, height // 60)
    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(axes[1])} against {escape(axes[0])}">',
        *_grid(x_axis, y_axis, axes, size),
        _front(front, x_axis, y_axis),
        *_points(points, x_axis, y_axis, width),
        "</svg>",
    ]
    return "\n".join(parts)


@dataclass(frozen=True)
class _Axis:
    """From values to pixels."""

    low: float
    high: float
    start_px: int
    end_px: int
    step: float

    @classmethod
    def over(cls, values: Sequence[float], start_px: int, end_px: int, ticks: int) -> _Axis:
        """Return the axis that shows all values and some room beside them."""
        low, high = min(values), max(values)
        margin = 0.08 * (high - low) or abs(high) * 0.1 or 1.0
        low, high = (0.0 if low == 0 else low - margin), high + margin
        return cls(low, high, start_px, end_px, _step((high - low) / max(ticks, 2)))

    def place(self, value: float) -> float:
        """Return where a value is, in pixels."""
        return round(self.start_px + (value - self.low) / (self.high - self.low) * (self.end_px - self.start_px), 1)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Yield the place of each tick and its text."""
        digits = max(0, -math.floor(math.log10(self.step)))
        for number in range(math.ceil(self.low / self.step), math.floor(self.high / self.step) + 1):
            yield self.place(number * self.step), f"{number * self.step:.{digits}f}"


def _step(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, 20, ... that is not below `least`.

    Example:
        >>> _step(0.3), _step(7)
        (0.5, 10.0)
    """
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least)


def _grid(x_axis: _Axis, y_axis: _Axis, axes: tuple[str, str], size: tuple[int, int]) -> Iterator[str]:
    width, height = size
    for x, text in x_axis.ticks():
        yield f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP}" y2="{height - _BOTTOM}"/>'
        yield f'<text x="{x}" y="{height - _BOTTOM + 16}" text-anchor="middle">{text}</text>'
    for y, text in y_axis.ticks():
        yield f'<line class="grid" x1="{_LEFT}" x2="{width - _RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{text}</text>'
    middle = (_TOP + height - _BOTTOM) // 2
    yield f'<text x="{(_LEFT + width) // 2}" y="{height - 8}" text-anchor="middle">{escape(axes[0])}</text>'
    yield f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">{escape(axes[1])}</text>'


def _front(front: Sequence[tuple[float, float]], x_axis: _Axis, y_axis: _Axis) -> str:
    corners = " ".join(f"{x_axis.place(x)},{y_axis.place(y)}" for x, y in front)
    return f'<polyline class="front" points="{corners}"/>'


def _points(points: Sequence[ScatterPoint], x_axis: _Axis, y_axis: _Axis, width: int) -> Iterator[str]:
    """Yield marks, and the labels that lie on no mark and on no other label somewhere beside their point."""
    places = [(x_axis.place(point.x), y_axis.place(point.y)) for point in points]
    taken = [_Box(x - _MARK_PX, y - _MARK_PX, x + _MARK_PX, y + _MARK_PX) for x, y in places]
    for point, (x, y) in zip(points, places, strict=True):
        label = ""
        free = (box for box in _beside(x, y, len(point.label)) if box.left > 0 and box.right < width)
        box = next((box for box in free if not any(map(box.meets, taken))), None) if point.label else None
        if box is not None:
            taken.append(box)
            label = f'<text class="label" x="{box.left:.1f}" y="{box.bottom - 4:.1f}">{escape(point.label)}</text>'
        yield (
            f'<g class="point s{point.series}" data-row="{point.row}"><title>{escape(point.title)}</title>'
            f"{_mark(point.series, x, y)}{label}</g>"
        )


@dataclass(frozen=True)
class _Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        """Whether two overlap."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def _beside(x: float, y: float, letters: int) -> Iterator[_Box]:
    """Yield the places of a label beside a point: to its right, above, below, to its left."""
    length, half, gap = _LETTER_PX * letters, _LINE_PX / 2, _MARK_PX + 2
    yield _Box(x + gap, y - half, x + gap + length, y + half)
    yield _Box(x - length / 2, y - gap - _LINE_PX, x + length / 2, y - gap)
    yield _Box(x - length / 2, y + gap, x + length / 2, y + gap + _LINE_PX)
    yield _Box(x - gap - length, y - half, x - gap, y + half)


def _mark(series: int, x: float, y: float) -> str:
    kind = _MARKS[series % len(_MARKS)]
    if kind == "circle":
        return f'<circle cx="{x}" cy="{y}" r="6"/>'
    corners = {
        "square": ((-5, -5), (5, -5), (5, 5), (-5, 5)),
        "diamond": ((0, -7), (7, 0), (0, 7), (-7, 0)),
        "triangle": ((0, -7), (6, 5), (-6, 5)),
    }[kind]
    return f'<polygon points="{" ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)}"/>'


def draw_mark(series: int) -> str:
    """Return a series' mark as a small SVG element, for a legend."""
    return f'<svg class="mark s{series}" viewBox="-9 -9 18 18" aria-hidden="true">{_mark(series, 0, 0)}</svg>'
