"""The one way from a picture to the graph's input, and from the graph's output back to the picture's labels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import InputKind, Normalization, OutputKind, Size
from segpp_deploy.data.images import ByteImage
from segpp_deploy.errors import SegppError

MAX_CLASSES = 255  # labels are bytes and 255 means "ignored"

_STRIP_BYTES = 4 << 20  # equally fast from 1 to 16 MiB, slower above: it should fit the cache


def prepare(
    image: ByteImage, size: Size, input_kind: InputKind, normalization: Normalization
) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Resize a picture to the graph's size (bilinear, pixel centres aligned) and give it the graph's layout.

    Args:
        image: uint8 [H, W, 3], RGB.
        size: the graph's input size; a picture of that size is not resampled.
        input_kind: UINT8 keeps bytes (the graph normalises), FLOAT normalises here.
        normalization: used for FLOAT only.

    Returns:
        uint8 [h, w, 3] for UINT8, float32 [3, h, w] for FLOAT; contiguous, without the batch axis.

    Example:
        >>> prepare(np.zeros((4, 6, 3), np.uint8), Size(2, 3), InputKind.FLOAT, Normalization()).shape
        (3, 2, 3)
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image must be uint8 [H, W, 3], not {image.dtype} {list(image.shape)}")
    if image.shape[:2] != size.hw:
        image = np.asarray(cv2.resize(image, (size.width, size.height), interpolation=cv2.INTER_LINEAR), np.uint8)
    if input_kind is InputKind.UINT8:
        return np.ascontiguousarray(image)
    mean = np.asarray(normalization.mean, np.float32)
    std = np.asarray(normalization.std, np.float32)
    return np.ascontiguousarray(((image - mean) / std).transpose(2, 0, 1))


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

    Raises:
        SegppError: heatmaps, which hold keypoints and not classes.
    """
    if output_kind is OutputKind.HEATMAPS:
        raise SegppError(
            "This engine puts out keypoint heatmaps, not segmentation labels.",
            "an engine whose output is labels or logits.",
            "segpp-deploy export --task seg --output labels ...",
        )
    if output_kind is OutputKind.LABELS:
        return _resize_labels(output.astype(np.uint8, copy=False), size)
    logits = output.astype(np.float32, copy=False)
    labels = np.empty(size.hw, np.uint8)
    rows = rows_per_strip(logits.shape[0], size.width)
    for top in range(0, size.height, rows):
        bottom = min(top + rows, size.height)
        labels[top:bottom] = argmax_lowest(resize_logits_rows(logits, size, top, bottom))
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
