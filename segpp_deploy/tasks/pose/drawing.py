"""A person's bones and keypoints drawn over the picture."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import ClassTable
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.lettering import draw_text
from segpp_deploy.tasks.pose.prediction import Pose
from segpp_deploy.tasks.protocol.drawing import ERROR_RGB, fade

SHOWN = 0.05
"""Keypoints with a larger score are drawn."""

_OUTLINE_RGB = (20, 22, 26)


def draw_pose(
    image: ByteImage,
    pose: Pose,
    classes: ClassTable,
    skeleton: Iterable[tuple[int, int]] = (),
    *,
    names: bool = True,
) -> ByteImage:
    """Draw a line for each bone and a disc for each keypoint that was found, in the keypoints' colours.

    Args:
        image: uint8 [H, W, 3], RGB.
        pose: keypoints in pixels of that picture.
        classes: names and colours of the keypoints.
        skeleton: pairs of keypoints that a bone joins; it has the colour of the second.
        names: whether to write the keypoints' names beside them.

    Returns:
        uint8 [H, W, 3], RGB; a new array.
    """
    drawn: ByteImage = np.ascontiguousarray(image).copy()
    radius = _radius(image)
    places = [(round(float(x)), round(float(y))) for x, y in pose.points]
    is_shown = pose.scores > SHOWN
    for start, end in skeleton:
        if is_shown[start] and is_shown[end]:
            cv2.line(drawn, places[start], places[end], _OUTLINE_RGB, radius + 2, cv2.LINE_AA)
            cv2.line(drawn, places[start], places[end], classes.palette[end], radius, cv2.LINE_AA)
    for index in np.flatnonzero(is_shown):
        (x, y), colour = places[index], classes.palette[index]
        cv2.circle(drawn, (x, y), radius + 1, _OUTLINE_RGB, cv2.FILLED, cv2.LINE_AA)
        cv2.circle(drawn, (x, y), radius, colour, cv2.FILLED, cv2.LINE_AA)
        if names:
            draw_text(drawn, classes.names[index], (x + radius + 2, y), radius / 8, colour)
    return drawn


def draw_misses(image: ByteImage, pose: Pose, labels: NDArray[np.float32], is_missed: NDArray[np.bool_]) -> ByteImage:
    """Draw a ring at each missed keypoint's label and a line from where it was found, in red on the pale picture.

    Args:
        image: uint8 [H, W, 3], RGB.
        pose: what was found.
        labels: float32 [K, 2], where the keypoints are.
        is_missed: [K].

    Returns:
        uint8 [H, W, 3], RGB; a new array.
    """
    drawn, radius = fade(image), _radius(image)
    for index in np.flatnonzero(is_missed):
        found, label = ([round(float(value)) for value in points[index]] for points in (pose.points, labels))
        if pose.scores[index] > SHOWN:
            cv2.line(drawn, found, label, ERROR_RGB, max(1, radius // 2), cv2.LINE_AA)
            cv2.circle(drawn, found, radius, ERROR_RGB, cv2.FILLED, cv2.LINE_AA)
        cv2.circle(drawn, label, radius, ERROR_RGB, max(1, radius // 2), cv2.LINE_AA)
    return drawn


def _radius(image: ByteImage) -> int:
    height, width = image.shape[:2]
    return max(2, round(min(int(height), int(width)) / 90))
