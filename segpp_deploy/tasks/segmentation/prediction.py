"""From a picture to what a segmentation model is shown of it, and from the model's answers to the picture's labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import OutputKind, Size
from segpp_deploy.data.geometry.padded import PaddedFit
from segpp_deploy.data.geometry.slide import Window, cut, published_stride, windows
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.label_maps import LabelMap, label_type
from segpp_deploy.graph.metadata import ExportMetadata

Array = NDArray[Any]

_STRIP_BYTES = 4 << 20  # equally fast from 1 to 16 MiB, slower above: it should fit the cache


@dataclass(frozen=True)
class Segmentation:
    """One picture's labels [H, W] of the picture's own size, and the session's outputs they were made from.

    `outputs` holds one array without the batch axis (or one per window): labels or logits [K, h/4, w/4].
    """

    labels: LabelMap
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


class PaddedPicture:
    """The picture in one piece, at its own aspect."""

    count = 1

    def __init__(self, image: ByteImage, metadata: ExportMetadata) -> None:
        self._image = image
        self._metadata = metadata
        self._fit = PaddedFit(Size(*image.shape[:2]), metadata.size)

    def inputs(self) -> Iterator[ByteImage]:
        """Yield the picture in its window."""
        yield self._fit.show(self._image, self._metadata.normalization)

    def finish(self, outputs: Sequence[Array]) -> Segmentation:
        """Return the labels of the picture's size."""
        height, width = self._fit.picture.hw
        labels = labels_from_output(outputs[0], self._metadata.output_kind, self._fit.outer)
        return Segmentation(np.ascontiguousarray(labels[:height, :width]), tuple(outputs))


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
        return Segmentation(labels_of_windows(self._boxes, outputs, self._size, self._metadata.size), tuple(outputs))


def labels_from_output(output: NDArray[np.generic], output_kind: OutputKind, size: Size) -> LabelMap:
    """Turn one image's graph output into labels of the original picture's size.

    Labels are resized to the nearest pixel centre. Logits are upsampled first and only then compared (the
    other order gives other labels); equal logits go to the lowest class. Works in strips of rows, so that the
    upsampled logits, K x H x W, never exist as a whole.

    Args:
        output: labels [h, w] or [h, w, 1], or logits float [K, h, w]; without the batch axis.
        output_kind: which of them.
        size: the original picture's size.

    Returns:
        uint8 [H, W], or uint16 of more classes than bytes can number.
    """
    if output_kind.is_labels:
        return _resize_labels(output.astype(np.uint8, copy=False).reshape(output.shape[:2]), size)
    logits = output.astype(np.float32, copy=False)
    return _labels_in_strips(len(logits), size, lambda top, bottom: resize_logits_rows(logits, size, top, bottom))


def labels_of_windows(
    boxes: Sequence[Window], outputs: Sequence[NDArray[np.generic]], size: Size, window: Size
) -> LabelMap:
    """Average the logits of overlapping windows and turn them into labels of the picture's size.

    At each pixel all classes are summed equally often, so the argmax of the sum is that of the mean. Works in strips of
    rows, as `labels_from_output` does.

    Args:
        boxes: where the windows lie; smaller than a window where `cut` padded.
        outputs: logits [K, h, w] of each, at whatever resolution the graph gives them.
        size: the picture's size.
        window: the size of a window.

    Returns:
        uint8 [H, W], or uint16 of more classes than bytes can number.
    """
    logits = [output.astype(np.float32, copy=False) for output in outputs]
    num_classes = len(logits[0])

    def sum_rows(top: int, bottom: int) -> NDArray[np.float32]:
        total = np.zeros((num_classes, bottom - top, size.width), np.float32)
        for box, scores in zip(boxes, logits, strict=True):
            first, last = max(top, box.top), min(bottom, box.bottom)
            if first < last:
                rows = resize_logits_rows(scores, window, first - box.top, last - box.top)
                total[:, first - top : last - top, box.left : box.right] += rows[:, :, : box.right - box.left]
        return total

    return _labels_in_strips(num_classes, size, sum_rows)


def _labels_in_strips(
    num_classes: int, size: Size, scores_of_rows: Callable[[int, int], NDArray[np.float32]]
) -> LabelMap:
    """Compare scores [K, rows, W], made from row `top` up to row `bottom`, strip by strip."""
    labels: LabelMap = np.empty(size.hw, label_type(num_classes))
    rows = rows_per_strip(num_classes, size.width)
    for top in range(0, size.height, rows):
        bottom = min(top + rows, size.height)
        labels[top:bottom] = argmax_lowest(scores_of_rows(top, bottom))
    return labels


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


def argmax_lowest(scores: NDArray[np.float32]) -> LabelMap:
    """Return the index of the largest of scores [K, ...] as a label map; ties go to the lowest index."""
    best = scores[0].copy()
    labels: LabelMap = np.zeros(best.shape, label_type(len(scores)))
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
