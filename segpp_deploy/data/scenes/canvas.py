"""The picture under construction: image, labels and distance, painted together from far to near."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import Size
from segpp_deploy.data.scenes.camera import Points
from segpp_deploy.data.scenes.classes import SceneClass

_SUBPIXEL_BITS = 4
_COORDINATE_LIMIT_PX = 30_000.0
SKY_DEPTH_M = 1e6

Colour = tuple[float, float, float]
Window = tuple[slice, slice]


@dataclass(frozen=True)
class Canvas:
    """Image uint8 [H, W, 3], labels uint8 [H, W] and depth_m float32 [H, W], drawn on in place."""

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    depth_m: NDArray[np.float32]

    @staticmethod
    def blank(size: Size) -> Canvas:
        """Return a canvas full of sky."""
        return Canvas(
            np.zeros((*size.hw, 3), np.uint8),
            np.full(size.hw, SceneClass.SKY, np.uint8),
            np.full(size.hw, SKY_DEPTH_M, np.float32),
        )

    def fill(self, polygon: Points, colour: Colour, label: SceneClass, depth_m: float) -> None:
        """Paint a polygon ([N, 2] pixels): smooth edges in the image, hard ones in the labels."""
        window = self.window_of(polygon)
        if window is None:
            return
        corner = np.array([window[1].start, window[0].start])
        coverage = polygon_coverage(polygon - corner, self.labels[window].shape)
        self.image_detail(polygon, colour)
        self.mark(window, coverage >= 128, label, depth_m)

    def image_detail(self, polygon: Points, colour: Colour) -> None:
        """Paint a polygon on the image alone: a detail inside something already labelled."""
        fixed = _fixed_point(polygon)
        cv2.fillPoly(self.image, [fixed], _clip_colour(colour), cv2.LINE_AA, _SUBPIXEL_BITS)

    def paste(
        self,
        window: Window,
        texture: NDArray[np.float32],
        coverage: NDArray[np.uint8],
        label: SceneClass,
        depth_m: float,
    ) -> None:
        """Blend `texture` ([h, w, 3], 0 .. 255) over a window by `coverage` (uint8 [h, w])."""
        alpha = coverage.astype(np.float32)[..., None] * np.float32(1 / 255)
        under = self.image[window].astype(np.float32)
        mixed = under + (np.clip(texture, 0, 255) - under) * alpha
        self.image[window] = mixed.astype(np.uint8)
        self.mark(window, coverage >= 128, label, depth_m)

    def mark(self, window: Window, mask: NDArray[np.bool_], label: SceneClass, depth_m: float) -> None:
        """Set label and distance where `mask` holds."""
        self.labels[window][mask] = label
        self.depth_m[window][mask] = depth_m

    def window_of(self, polygon: Points, margin_px: int = 2) -> Window | None:
        """Return the part of the picture that holds the polygon, or None if it lies outside."""
        height, width = self.labels.shape
        low = np.floor(polygon.min(axis=0)) - margin_px
        high = np.ceil(polygon.max(axis=0)) + margin_px
        left, right = max(0, int(low[0])), min(width, int(high[0]))
        top, bottom = max(0, int(low[1])), min(height, int(high[1]))
        if left >= right or top >= bottom:
            return None
        return slice(top, bottom), slice(left, right)


def polygon_coverage(polygon: Points, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return how much of each pixel a polygon covers, 0 .. 255, as uint8 [h, w]."""
    coverage = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(coverage, [_fixed_point(polygon)], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    return coverage


def _fixed_point(polygon: Points) -> NDArray[np.int32]:
    # OpenCV puts the pixel centre at whole numbers, the camera at halves.
    clipped = np.clip(polygon - 0.5, -_COORDINATE_LIMIT_PX, _COORDINATE_LIMIT_PX)
    return np.rint(clipped * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def _clip_colour(colour: Colour) -> Colour:
    red, green, blue = (min(255.0, max(0.0, value)) for value in colour)
    return red, green, blue
