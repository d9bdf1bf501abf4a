"""The whole picture at its own aspect: resized to fit into the graph's size, the rest filled."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from segpp_deploy.config import Normalization, Size
from segpp_deploy.data.geometry.slide import fill
from segpp_deploy.data.images import ByteImage


@dataclass(frozen=True)
class PaddedFit:
    """A picture in the upper left of a window, as large as fits.

    Args:
        picture: its size.
        window: the graph's input size.
    """

    picture: Size
    window: Size

    @property
    def inner(self) -> Size:
        """The picture's size in the window.

        Example:
            >>> PaddedFit(Size(360, 480), Size(512, 1024)).inner
            Size(height=512, width=683)
        """
        scale = min(self.window.height / self.picture.height, self.window.width / self.picture.width)
        height, width = (max(1, round(side * scale)) for side in self.picture.hw)
        return Size(min(height, self.window.height), min(width, self.window.width))

    @property
    def outer(self) -> Size:
        """The window's size where the picture has its own: what is put out for a window is scaled to this and cut.

        Example:
            >>> PaddedFit(Size(360, 480), Size(512, 1024)).outer
            Size(height=360, width=720)
        """
        inner = self.inner
        return Size(
            max(self.picture.height, round(self.window.height * self.picture.height / inner.height)),
            max(self.picture.width, round(self.window.width * self.picture.width / inner.width)),
        )

    def show(self, image: ByteImage, normalization: Normalization) -> ByteImage:
        """Return the picture uint8 [H, W, 3] in its window [h, w, 3]; the rest has the mean colour, as windows have."""
        inner = self.inner
        if image.shape[:2] != inner.hw:
            image = np.asarray(cv2.resize(image, (inner.width, inner.height), interpolation=cv2.INTER_LINEAR), np.uint8)
        return fill(image, self.window, normalization)
