"""How errors look, whatever the task: red on the picture in pale grey."""

from __future__ import annotations

import numpy as np

from segpp_deploy.data.images import ByteImage

ERROR_RGB = (214, 40, 57)
_PALENESS = 0.45  # of the distance to white


def fade(image: ByteImage) -> ByteImage:
    """Return a picture uint8 [H, W, 3] in pale grey.

    Example:
        >>> fade(np.zeros((1, 1, 3), np.uint8)).tolist()
        [[[140, 140, 140]]]
    """
    grey = image.mean(axis=2, keepdims=True)
    pale: ByteImage = (255 - (255 - grey) * _PALENESS).repeat(3, axis=2).astype(np.uint8)
    return pale
