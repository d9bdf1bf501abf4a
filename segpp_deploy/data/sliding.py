"""Sliding windows: a large picture cut into overlapping pieces of the engine's size, their logits averaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import Normalization, OutputKind, Size
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.processing import argmax_lowest, resize_logits_rows, rows_per_strip
from segpp_deploy.errors import SegppError


@dataclass(frozen=True)
class Window:
    """A box of the picture in pixels; `bottom` and `right` are exclusive."""

    top: int
    left: int
    bottom: int
    right: int


def windows(size: Size, window: Size, stride: Size) -> list[Window]:
    """Return the boxes that cover a picture, row by row.

    As in mmsegmentation's slide inference, the last box of a row or column is shifted back to the border.
    A picture smaller than the window gives one box of its own extent; `cut` pads it.

    Raises:
        SegppError: the stride is zero or larger than the window, which would leave gaps.

    Example:
        >>> [(w.left, w.right) for w in windows(Size(1024, 2048), Size(1024, 1024), Size(768, 768))]
        [(0, 1024), (768, 1792), (1024, 2048)]
    """
    if not (0 < stride.height <= window.height and 0 < stride.width <= window.width):
        raise SegppError(
            f"Stride {stride} does not fit window {window}.",
            "a stride of at least 1 and at most the window on each side.",
            "Use three quarters of the window, e.g. stride 768x768 for window 1024x1024.",
        )
    rows = _spans(size.height, window.height, stride.height)
    columns = _spans(size.width, window.width, stride.width)
    return [Window(top, left, bottom, right) for top, bottom in rows for left, right in columns]


def cut(image: ByteImage, box: Window, window: Size, normalization: Normalization) -> ByteImage:
    """Return the pixels of `box` as [h, w, 3] of exactly the window's size.

    Where the picture is smaller than the window, the right and lower rest is the mean colour (zero once
    normalised), so objects keep the scale the model was trained on.
    """
    piece = image[box.top : box.bottom, box.left : box.right]
    if piece.shape[:2] == window.hw:
        return np.ascontiguousarray(piece)
    padded = np.empty((*window.hw, 3), np.uint8)
    padded[:] = np.rint(normalization.mean).astype(np.uint8)
    padded[: piece.shape[0], : piece.shape[1]] = piece
    return padded


def require_logits(output_kind: OutputKind) -> None:
    """Check that an engine's output can be averaged over windows.

    Raises:
        SegppError: it cannot: overlapping windows need logits, not finished labels.
    """
    if output_kind is not OutputKind.LOGITS:
        raise SegppError(
            f"Sliding-window inference cannot use an engine that puts out {output_kind}.",
            "an engine whose output is logits (overlapping windows are averaged before the argmax).",
            "segpp-deploy export ... --output logits, then build-engine again; or --inference whole",
        )


class SlideAccumulator:
    """Sums the windows' logits over the picture; needs 4 K H W bytes.

    At each pixel all classes are summed equally often, so the argmax of the sum is that of the mean.
    """

    def __init__(self, size: Size, num_classes: int, window: Size) -> None:
        self._sum = np.zeros((num_classes, *size.hw), np.float32)
        self._window = window

    def add(self, box: Window, logits: NDArray[np.generic]) -> None:
        """Add one window's logits [K, h, w], at whatever resolution the graph gives them."""
        scores = logits.astype(np.float32, copy=False)
        height, width = box.bottom - box.top, box.right - box.left  # less than the window where `cut` padded
        step = rows_per_strip(scores.shape[0], self._window.width)
        for top in range(0, height, step):
            bottom = min(top + step, height)
            rows = resize_logits_rows(scores, self._window, top, bottom)
            self._sum[:, box.top + top : box.top + bottom, box.left : box.right] += rows[:, :, :width]

    def labels(self) -> ByteImage:
        """Return uint8 [H, W]; ties go to the lowest class."""
        return argmax_lowest(self._sum)


def _spans(length: int, window: int, stride: int) -> list[tuple[int, int]]:
    if length <= window:
        return [(0, length)]
    starts = [min(start, length - window) for start in range(0, length - window + stride, stride)]
    return [(start, start + window) for start in starts]
