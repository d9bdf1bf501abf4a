"""Heatmaps to keypoints, as mmpose's MSRA codec has it.

A keypoint is at the largest value, moved by a quarter of a cell towards its larger neighbour.

Source: Sun et al., "Deep High-Resolution Representation Learning for Human Pose Estimation" (2019), and mmpose.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

NOT_FOUND = -1.0
"""Both coordinates of a keypoint whose heatmap has no value above 0."""

_SHIFT = 0.25  # cells


def decode_heatmaps(heatmaps: NDArray[np.generic]) -> tuple[Floats, Floats]:
    """Return the place of each keypoint in cells, float32 [K, 2] (x, y), and its score, float32 [K].

    Args:
        heatmaps: [K, h, w]; a keypoint whose heatmap has no value above 0 is at (-1, -1).

    Example:
        >>> heatmaps = np.zeros((1, 8, 8), np.float32)
        >>> heatmaps[0, 3, 4], heatmaps[0, 3, 5] = 1.0, 0.5
        >>> decode_heatmaps(heatmaps)[0].tolist()
        [[4.25, 3.0]]
    """
    maps = heatmaps.astype(np.float32, copy=False)
    count, height, width = maps.shape
    flat = maps.reshape(count, -1)
    best = flat.argmax(axis=1)
    scores: Floats = flat[np.arange(count), best]
    cells = np.stack([best % width, best // width], axis=1).astype(np.float32)
    cells[scores <= 0] = NOT_FOUND
    for keypoint, (x, y) in enumerate(cells.astype(int)):
        heatmap = maps[keypoint]
        if 1 < x < width - 1 and 0 < y < height:
            cells[keypoint, 0] += _SHIFT * np.sign(heatmap[y, x + 1] - heatmap[y, x - 1])
        if 1 < y < height - 1 and 0 < x < width:
            cells[keypoint, 1] += _SHIFT * np.sign(heatmap[y + 1, x] - heatmap[y - 1, x])
    return cells, scores


def average_with_mirrored(heatmaps: NDArray[np.generic], mirrored: NDArray[np.generic], order: Sequence[int]) -> Floats:
    """Return the mean of a crop's heatmaps and those of its mirror image, as mmpose's flip test.

    Args:
        heatmaps: [K, h, w].
        mirrored: [K, h, w] of the crop with its columns reversed.
        order: which keypoint of a mirrored picture each keypoint is.

    Returns:
        float32 [K, h, w]. Mirrored maps move by a cell to the right: the columns of strided maps do not lie on those of
        the picture's mirror image.
    """
    back = mirrored.astype(np.float32)[list(order), :, ::-1]
    moved = back.copy()
    moved[..., 1:] = back[..., :-1]
    return np.asarray((heatmaps.astype(np.float32) + moved) * np.float32(0.5), np.float32)
