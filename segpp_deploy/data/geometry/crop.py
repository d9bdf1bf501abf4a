"""The crop around a box, as top-down pose models take it: padded, warped without rotation, and the way back.

The conventions are those of mmpose's top-down configurations without UDP: the box grows by a quarter, then to the
aspect of the model's input; what lies outside the picture is black before the normalisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import Size
from segpp_deploy.data.images import ByteImage

PADDING = 1.25


@dataclass(frozen=True)
class Box:
    """A rectangle of a picture in pixels, from its upper left to its lower right corner."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def longer_side(self) -> float:
        """The larger of width and height, in pixels."""
        return max(self.right - self.left, self.bottom - self.top)

    @classmethod
    def of_picture(cls, image: ByteImage) -> Box:
        """Return the box that holds a whole picture [H, W, 3]."""
        height, width = image.shape[:2]
        return cls(0.0, 0.0, width - 1.0, height - 1.0)


@dataclass(frozen=True)
class Crop:
    """What the model sees: `extent_xy` pixels of the picture around `centre_xy`, resized to `size`."""

    centre_xy: tuple[float, float]
    extent_xy: tuple[float, float]
    size: Size

    @classmethod
    def around(cls, box: Box, size: Size) -> Crop:
        """Return the crop for a box: padded by `PADDING`, then widened or heightened to the aspect of `size`."""
        width, height = (box.right - box.left) * PADDING, (box.bottom - box.top) * PADDING
        aspect = size.width / size.height
        extent = (width, width / aspect) if width > aspect * height else (height * aspect, height)
        return cls(((box.left + box.right) / 2, (box.top + box.bottom) / 2), extent, size)

    def cut(self, image: ByteImage) -> ByteImage:
        """Return the crop as uint8 [h, w, 3] of the model's size (bilinear; black outside the picture)."""
        scale_x, scale_y = self.size.width / self.extent_xy[0], self.size.height / self.extent_xy[1]
        matrix = np.array(
            [
                [scale_x, 0.0, self.size.width / 2 - self.centre_xy[0] * scale_x],
                [0.0, scale_y, self.size.height / 2 - self.centre_xy[1] * scale_y],
            ]
        )
        warped = cv2.warpAffine(image, matrix, (self.size.width, self.size.height), flags=cv2.INTER_LINEAR)
        return np.asarray(warped, np.uint8)

    def to_picture(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return points [K, 2] (x, y) of the model's input in pixels of the picture; no half-pixel term."""
        size = np.array([self.size.width, self.size.height], np.float32)
        extent, centre = np.array(self.extent_xy, np.float32), np.array(self.centre_xy, np.float32)
        return np.asarray(points / size * extent + centre - extent / 2, np.float32)
