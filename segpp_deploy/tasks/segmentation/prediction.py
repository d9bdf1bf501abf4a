"""From a picture to what a segmentation model is shown of it, and from the model's answers to the picture's labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import OutputKind, Size
from segpp_deploy.data.geometry.slide import Window, cut, published_stride, windows
from segpp_deploy.data.images import ByteImage
from segpp_deploy.graph.metadata import ExportMetadata

Array = NDArray[Any]

MAX_CLASSES = 255  # labels are bytes and 255 means "ignored"

_STRIP_BYTES = 4 << 20  # equally fast from 1 to 16 MiB, slower above: it should fit the cache


@dataclass(frozen=True)
class Segmentation:
    """One picture's labels, uint8 [H, W] of the picture's own size, and the session's outputs they were made from.

    `outputs` holds one array without the batch axis (or one per window): labels [h, w] or logits [K, h/4, w/4].
    """

    labels: ByteImage
    outputs: tuple[Array, ...] = ()


class WholePicture:
    """The picture in one piece, resized."""

    count = 1

    def __init__(self, image: ByteImage, metadata: ExportMetadata) -> None:
        self._image = image
        self._metadata = metadata

    def inputs(self) -> Iterator[ByteImage]:
        """Yield the picture as it is; it is resized where it is prepared."""
        yield self._image

    def finish(self, outputs: Sequence[Array]) -> Segmentation:
        """Return the labels of the picture's size."""
        size = Size(*self._image.shape[:2])
        return Segmentation(labels_from_output(outputs[0], self._metadata.output_kind, size), tuple(outputs))


class SlidingWindows:
    """Windows of the model's size, each three quarters of a window from the last; their logits are averaged."""

    def __init__(self, image: ByteImage, metadata: ExportMetadata) -> None:
        self._image = image
        self._metadata = metadata
        self._size = Size(*image.shape[:2])
        self._boxes = windows(self._size, metadata.size, published_stride(metadata.size))

    @property
    def count(self) -> int:
        """How many windows cover the picture."""
        return len(self._boxes)

    def inputs(self) -> Iterator[ByteImage]:
        """Yield the windows, row by row."""
        for box in self._boxes:
            yield cut(self._image, box, self._metadata.size, self._metadata.normalization)

    def finish(self, outputs: Sequence[Array]) -> Segmentation:
        """Return the labels of the averaged logits."""
        accumulator = SlideAccumulator(self._size, len(self._metadata.classes), self._metadata.size)
        for box, output in zip(self._boxes, outputs, strict=True):
            accumulator.add(box, output)
        return Segmentation(accumulator.labels(), tuple(outputs))


def labels_from_output(output: NDArray[np.generic], output_kind: OutputKind, size: Size) -> ByteImage:
    """Turn one image's graph output into labels of the original picture's size.

    Labels are resized to the nearest pixel centre. Logits are upsampled first and only then compared (the
    other order gives other labels); equal logits go to the lowest class. Works in strips of rows, so that the
    upsampled logits, K x H x W, never exist as a whole.

    Args:
        output: labels uint8 [h, w], or logits float [K, h, w]; without the batch axis.
        output_kind: which of the two.
        size: the original picture's size.

    Returns:
        uint8 [H, W].
    """
    if output_kind is OutputKind.LABELS:
        return _resize_labels(output.astype(np.uint8, copy=False), size)
    logits = output.astype(np.float32, copy=False)
    labels = np.empty(size.hw, np.uint8)
    rows = rows_per_strip(logits.shape[0], size.width)
    for top in range(0, size.height, rows):
        bottom = min(top + rows, size.height)
        labels[top:bottom] = argmax_lowest(resize_logits_rows(logits, size, top, bottom))
    return labels


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


def resize_logits_rows(logits: NDArray[np.float32], size: Size, top: int, bottom: int) -> NDArray[np.float32]:
    """Return rows top .. bottom of logits [K, h, w] resized to [K, H, W] (bilinear, align_corners=False)."""
    classes, height, width = logits.shape
    centres = (np.arange(top, bottom) + 0.5) * (height / size.height) - 0.5
    centres = np.clip(centres, 0, height - 1)
    above = centres.astype(np.intp)
    below = np.minimum(above + 1, height - 1)
    weight = (centres - above).astype(np.float32)[:, None]
    upper = logits[:, above]
    rows: NDArray[np.float32] = upper + (logits[:, below] - upper) * weight
    if width == size.width:
        return rows
    flat = rows.reshape(-1, width)
    wide = cv2.resize(flat, (size.width, flat.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(wide, np.float32).reshape(classes, bottom - top, size.width)


def argmax_lowest(scores: NDArray[np.float32]) -> ByteImage:
    """Return the index of the largest of scores [K, ...] as uint8; ties go to the lowest index."""
    if scores.shape[0] > MAX_CLASSES:
        raise ValueError(f"{scores.shape[0]} classes do not fit into byte labels (at most {MAX_CLASSES})")
    best = scores[0].copy()
    labels = np.zeros(best.shape, np.uint8)
    for index in range(1, scores.shape[0]):  # several times faster than np.argmax over the first axis
        better = scores[index] > best
        np.copyto(labels, index, where=better)
        np.maximum(best, scores[index], out=best)
    return labels


def rows_per_strip(classes: int, width: int) -> int:
    """Return how many rows of K x width floats make one strip."""
    return max(1, _STRIP_BYTES // (4 * classes * width))


def _resize_labels(labels: ByteImage, size: Size) -> ByteImage:
    if labels.shape == size.hw:
        return labels
    height, width = labels.shape
    # the source pixel below each target pixel's centre, in integers: floats miss by one where they meet exactly
    rows = (2 * np.arange(size.height) + 1) * height // (2 * size.height)
    columns = (2 * np.arange(size.width) + 1) * width // (2 * size.width)
    resized: ByteImage = labels[rows[:, None], columns]
    return resized
