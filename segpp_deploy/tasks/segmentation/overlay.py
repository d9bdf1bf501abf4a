"""Labels drawn over their picture: tinted classes, crisp edges, a legend of what is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import ClassTable
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.label_maps import LabelMap, ignored_label
from segpp_deploy.data.lettering import CAPITAL_HEIGHT, draw_text, text_width
from segpp_deploy.tasks.protocol.drawing import ERROR_RGB, fade

_TEXT_COLOUR = (245, 245, 245)
_SWATCH_FRAME = (150, 150, 150)  # keeps dark classes visible on the dark panel
_MAX_LEGEND_FRACTION = 0.4  # of the picture's height; the rarest classes are left out beyond that


def draw_overlay(
    image: ByteImage, labels: LabelMap, classes: ClassTable, alpha: float = 0.5, legend: bool = True
) -> ByteImage:
    """Tint each pixel with its class colour, outline the regions, and name the classes that occur.

    Args:
        image: uint8 [H, W, 3], RGB.
        labels: [H, W]; values without a class, such as "ignored", leave the picture as it is.
        classes: names and colours.
        alpha: opacity of the tint, 0 (picture only) to 1 (colours only).
        legend: whether to draw the legend along the lower edge.

    Returns:
        uint8 [H, W, 3], RGB; a new array.
    """
    if image.shape[:2] != labels.shape:
        raise ValueError(f"picture {image.shape[:2]} and labels {labels.shape} differ in size")
    known = labels < len(classes)
    values = np.iinfo(labels.dtype).max + 1
    weight = np.zeros(values, np.float32)
    weight[: len(classes)] = alpha
    colours = np.zeros((values, 3), np.float32)
    colours[: len(classes)] = np.asarray(classes.palette, np.float32) * alpha
    drawn: ByteImage = np.rint(image * (1 - weight[labels])[..., None] + colours[labels]).astype(np.uint8)
    _outline_regions(drawn, labels, known, alpha)
    if legend:
        counts = np.bincount(labels.ravel(), minlength=len(classes))[: len(classes)]
        present = [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]
        _draw_legend(drawn, present, classes)
    return drawn


def draw_errors(image: ByteImage, labels: LabelMap, truth: LabelMap) -> ByteImage:
    """Paint the pixels red whose label is wrong, on the picture in pale grey.

    Args:
        image: uint8 [H, W, 3], RGB.
        labels: [H, W].
        truth: [H, W]; what it ignores is not wrong.

    Returns:
        uint8 [H, W, 3], RGB; a new array.
    """
    drawn = fade(image)
    drawn[(labels != truth) & (truth != ignored_label(truth))] = ERROR_RGB
    return drawn


def _outline_regions(drawn: ByteImage, labels: LabelMap, known: NDArray[np.bool_], alpha: float) -> None:
    edge = np.zeros(labels.shape, bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    if min(labels.shape) >= 1000:  # one pixel is lost when a large picture is shown scaled down
        edge[:, :-1] |= edge[:, 1:]
        edge[:-1] |= edge[1:]
    edge &= known
    drawn[edge] = (drawn[edge] * (1 - 0.45 * alpha)).astype(np.uint8)


@dataclass(frozen=True)
class _LegendStyle:
    """Sizes in pixels, derived from the picture's so that the legend reads alike at every size."""

    scale: float
    thickness: int
    line: int
    gap: int

    @classmethod
    def for_picture(cls, height: int, width: int) -> _LegendStyle:
        scale = float(np.clip(min(height, width * 0.75) / 1100, 0.36, 3.0))
        line = round(30 * scale)
        return cls(scale, max(1, round(scale)), line, max(3, line // 3))

    def entry_width(self, name: str) -> int:
        return self.line + self.gap // 2 + text_width(name, self.scale, self.thickness) + 2 * self.gap


def _draw_legend(drawn: ByteImage, present: list[int], classes: ClassTable) -> None:
    height, width = drawn.shape[:2]
    style = _LegendStyle.for_picture(height, width)
    max_rows = int(height * _MAX_LEGEND_FRACTION - style.gap) // (style.line + style.gap)
    rows = _wrap_entries(present, classes, style, width)[: max(0, max_rows)]
    if not rows:
        return
    panel_height = style.gap + len(rows) * (style.line + style.gap)
    panel = drawn[height - panel_height :]
    panel[:] = (panel * 0.3 + np.array([6.0, 8.0, 12.0])).astype(np.uint8)
    for number, row in enumerate(rows):
        y = style.gap + number * (style.line + style.gap)
        for x, index in row:
            _draw_entry(panel, (x, y), classes.names[index], classes.palette[index], style)


def _wrap_entries(
    present: list[int], classes: ClassTable, style: _LegendStyle, width: int
) -> list[list[tuple[int, int]]]:
    """Place entries in rows, most frequent class first; an entry is (x, class index)."""
    rows: list[list[tuple[int, int]]] = []
    x = style.gap
    for index in present:
        entry = style.entry_width(classes.names[index])
        if not rows or (x + entry > width and x > style.gap):
            rows.append([])
            x = style.gap
        rows[-1].append((x, index))
        x += entry
    return rows


def _draw_entry(
    panel: ByteImage, position: tuple[int, int], name: str, colour: tuple[int, int, int], style: _LegendStyle
) -> None:
    x, y = position
    side = round(style.line * 0.8)
    top = y + (style.line - side) // 2
    panel[top : top + side, x : x + side] = _SWATCH_FRAME
    panel[top + 1 : top + side - 1, x + 1 : x + side - 1] = colour
    origin = (x + side + style.line // 4 + style.gap // 2, y + round((style.line + CAPITAL_HEIGHT * style.scale) / 2))
    draw_text(panel, name, origin, style.scale, _TEXT_COLOUR, style.thickness)
