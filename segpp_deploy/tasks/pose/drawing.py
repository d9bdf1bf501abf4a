"""Keypoints drawn over their picture."""

from __future__ import annotations

import cv2
import numpy as np

from segpp_deploy.config import ClassTable
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.lettering import draw_text
from segpp_deploy.tasks.pose.prediction import Pose

_OUTLINE_RGB = (20, 22, 26)


def draw_keypoints(image: ByteImage, pose: Pose, classes: ClassTable, *, names: bool = True) -> ByteImage:
    """Draw a disc in its keypoint's colour for each keypoint that was found, with its name beside it.

    Args:
        image: uint8 [H, W, 3], RGB.
        pose: keypoints in pixels of that picture.
        classes: names and colours of the keypoints.
        names: whether to write them.

    Returns:
        uint8 [H, W, 3], RGB; a new array.
    """
    drawn: ByteImage = np.ascontiguousarray(image).copy()
    radius = max(2, round(min(image.shape[:2]) / 90))
    for point, score, name, colour in zip(pose.points, pose.scores, classes.names, classes.palette, strict=True):
        if score <= 0:
            continue
        x, y = (round(float(value)) for value in point)
        cv2.circle(drawn, (x, y), radius + 1, _OUTLINE_RGB, cv2.FILLED, cv2.LINE_AA)
        cv2.circle(drawn, (x, y), radius, colour, cv2.FILLED, cv2.LINE_AA)
        if names:
            draw_text(drawn, name, (x + radius + 2, y), radius / 8, colour)
    return drawn
