"""Sliding windows: a large picture cut into overlapping pieces of the engine's size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segpp_deploy.config import Normalization, Size
from segpp_deploy.data.images import ByteImage
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


def published_stride(window: Size) -> Size:
    """Return three quarters of a window, the stride of the published Cityscapes evaluation."""
    return Size(max(1, window.height * 3 // 4), max(1, window.width * 3 // 4))


def cut(image: ByteImage, box: Window, window: Size, normalization: Normalization) -> ByteImage:
    """Return the pixels of `box` as [h, w, 3] of exactly the window's size.

    Where the picture is smaller than the window, the right and lower rest is the mean colour (zero once
    normalised), so objects keep the scale the model was trained on.
    """
    return fill(image[box.top : box.bottom, box.left : box.right], window, normalization)


def fill(piece: ByteImage, window: Size, normalization: Normalization) -> ByteImage:
    """Return a piece uint8 [h, w, 3] in the upper left of a window; the rest is the mean colour."""
    if piece.shape[:2] == window.hw:
        return np.ascontiguousarray(piece)
    padded = np.empty((*window.hw, 3), np.uint8)
    padded[:] = np.rint(normalization.mean).astype(np.uint8)
    padded[: piece.shape[0], : piece.shape[1]] = piece
    return padded


def _spans(length: int, window: int, stride: int) -> list[tuple[int, int]]:
    if length <= window:
        return [(0, length)]
    starts = [min(start, length - window) for start in range(0, length - window + stride, stride)]
    return [(start, start + window) for start in starts]
