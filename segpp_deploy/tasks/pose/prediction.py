"""From the crop around one person to heatmaps, and from heatmaps to keypoints in the picture.

Decoding follows mmpose's MSRA heatmaps: the largest value, moved by a quarter of a cell towards its larger neighbour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.geometry.crop import Box, Crop
from segpp_deploy.data.images import ByteImage
from segpp_deploy.graph.metadata import ExportMetadata

Array = NDArray[Any]

_SHIFT = 0.25  # cells
_NOT_FOUND = -1.0


@dataclass(frozen=True)
class Pose:
    """One person's keypoints.

    Args:
        points: float32 [K, 2], x and y in pixels of the picture.
        scores: float32 [K], the heatmaps' maxima; 0 or less where nothing was found.
        outputs: the session's heatmaps [K, h, w] they were read from.
    """

    points: NDArray[np.float32]
    scores: NDArray[np.float32]
    outputs: tuple[Array, ...] = ()


class PersonCrop:
    """The part of a picture around one person."""

    count = 1

    def __init__(self, image: ByteImage, box: Box | None, metadata: ExportMetadata) -> None:
        self._image = image
        self._crop = Crop.around(box or Box.of_picture(image), metadata.size)
        self._stride = metadata.output_stride

    def inputs(self) -> Iterator[ByteImage]:
        """Yield the crop."""
        yield self._crop.cut(self._image)

    def finish(self, outputs: Sequence[Array]) -> Pose:
        """Return the keypoints in the picture."""
        cells, scores = decode_heatmaps(outputs[0])
        points = self._crop.to_picture(cells * np.float32(self._stride))
        points[scores <= 0] = _NOT_FOUND
        return Pose(points, scores, tuple(outputs))


def decode_heatmaps(heatmaps: NDArray[np.generic]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
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
    scores: NDArray[np.float32] = flat[np.arange(count), best]
    cells = np.stack([best % width, best // width], axis=1).astype(np.float32)
    cells[scores <= 0] = _NOT_FOUND
    for keypoint, (x, y) in enumerate(cells.astype(int)):
        heatmap = maps[keypoint]
        if 1 < x < width - 1 and 0 < y < height:
            cells[keypoint, 0] += _SHIFT * np.sign(heatmap[y, x + 1] - heatmap[y, x - 1])
        if 1 < y < height - 1 and 0 < x < width:
            cells[keypoint, 1] += _SHIFT * np.sign(heatmap[y + 1, x] - heatmap[y - 1, x])
    return cells, scores
