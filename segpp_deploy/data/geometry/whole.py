"""The whole picture, resized to the graph's size and given the graph's layout."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import InputKind, Normalization, Size
from segpp_deploy.data.images import ByteImage


def prepare(
    image: ByteImage, size: Size, input_kind: InputKind, normalization: Normalization
) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Resize a picture to the graph's size (bilinear, pixel centres aligned) and give it the graph's layout.

    Args:
        image: uint8 [H, W, 3], RGB.
        size: the graph's input size; a picture of that size is not resampled.
        input_kind: FLOAT normalises here; for the others the graph does.
        normalization: used for FLOAT only.

    Returns:
        uint8 [h, w, 3] for UINT8, else float32 [3, h, w]; contiguous, without the batch axis.

    Example:
        >>> prepare(np.zeros((4, 6, 3), np.uint8), Size(2, 3), InputKind.FLOAT, Normalization()).shape
        (3, 2, 3)
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image must be uint8 [H, W, 3], not {image.dtype} {list(image.shape)}")
    if image.shape[:2] != size.hw:
        image = np.asarray(cv2.resize(image, (size.width, size.height), interpolation=cv2.INTER_LINEAR), np.uint8)
    if not input_kind.is_planar:
        return np.ascontiguousarray(image)
    if not input_kind.is_normalized:
        return np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
    mean = np.asarray(normalization.mean, np.float32)
    std = np.asarray(normalization.std, np.float32)
    return np.ascontiguousarray(((image - mean) / std).transpose(2, 0, 1))
