"""The head of a figure: hair, and a face where one can see it."""

from __future__ import annotations

import numpy as np

from segpp_deploy.data.scenes.camera import Points
from segpp_deploy.data.scenes.canvas import Colour
from segpp_deploy.data.scenes.clothing import dim
from segpp_deploy.data.scenes.figure import Figure
from segpp_deploy.data.scenes.joints import FACE, Joint
from segpp_deploy.data.scenes.parts import Detail, Part, Pen
from segpp_deploy.data.scenes.skeleton import FORWARD, HEAD_RADII, LEFT, UP

_EYE: Colour = (24.0, 20.0, 20.0)
_EYE_WHITE: Colour = (225.0, 222.0, 218.0)
_LIPS: Colour = (150.0, 62.0, 62.0)


def _sphere(azimuths: Points, elevations: Points) -> Points:
    """Unit vectors (left, up, forward) on a grid of angles."""
    around, above = (grid.ravel() for grid in np.meshgrid(azimuths, elevations))
    return np.stack([np.cos(above) * np.sin(around), np.sin(above), np.cos(above) * np.cos(around)], axis=1)


_SKULL = _sphere(np.arange(12) * np.pi / 6, np.deg2rad((-70.0, -45.0, -22.0, 0.0, 22.0, 45.0, 70.0)))
_FACE = _sphere(np.deg2rad((-72.0, -48.0, -24.0, 0.0, 24.0, 48.0, 72.0)), np.deg2rad((-80.0, -50.0, -20.0, 5.0, 28.0)))
_EAR_SEEN_FROM = -0.15


def head_part(pen: Pen, figure: Figure) -> Part:
    """Return the head."""
    skeleton, look = figure.skeleton, figure.look
    frame, centre = skeleton.head_frame, skeleton.head
    radii = HEAD_RADII * figure.height_m
    to_camera = pen.towards_camera(centre)
    details = [*_face(pen, figure, frame @ to_camera)]
    for ear, sign in ((Joint.LEFT_EAR, 1.0), (Joint.RIGHT_EAR, -1.0)):
        if sign * float(frame[LEFT] @ to_camera) > 0.1 and not look.long_hair:
            details.append(pen.spot(skeleton.joints[ear], 0.011 * figure.height_m, dim(look.skin, 0.82)))
    skull, _ = pen.patch(centre + (_SKULL * radii) @ frame, look.hair)
    return Part(skull, pen.lit(look.hair), float(centre[2]), FACE, tuple(details))


def faces_camera(pen: Pen, figure: Figure, joint: Joint) -> bool:
    """Whether a joint of the face lies on the side of the head that the camera sees."""
    skeleton = figure.skeleton
    outward = skeleton.joints[joint] - skeleton.head
    cosine = float(outward @ pen.towards_camera(skeleton.head)) / float(np.linalg.norm(outward))
    return cosine > (_EAR_SEEN_FROM if joint in (Joint.LEFT_EAR, Joint.RIGHT_EAR) else 0.0)


def _face(pen: Pen, figure: Figure, to_camera: Points) -> list[Detail]:
    """The skin and its features; `to_camera` is in the head's own axes."""
    skeleton, skin = figure.skeleton, figure.look.skin
    frame, height = skeleton.head_frame, figure.height_m
    seen = _FACE[_FACE @ to_camera > 0.03]
    if len(seen) < 3:
        return []

    def at(left: float, up: float, forward: float) -> Points:
        return np.asarray(skeleton.head + (np.array((left, up, forward)) * HEAD_RADII * height) @ frame)

    details = [pen.patch(skeleton.head + (seen * HEAD_RADII * height * 1.01) @ frame, skin)]
    for eye, sign in ((Joint.LEFT_EYE, 1.0), (Joint.RIGHT_EYE, -1.0)):
        if faces_camera(pen, figure, eye):
            details.append(pen.spot(skeleton.joints[eye], 0.0085 * height, _EYE_WHITE))
            details.append(pen.spot(skeleton.joints[eye], 0.0062 * height, _EYE))
            inner, outer = at(sign * 0.2, 0.36, 0.92), at(sign * 0.58, 0.34, 0.78)
            details.append(pen.strip(inner, outer, 0.006 * height, dim(figure.look.hair, 0.8)))
    if faces_camera(pen, figure, Joint.NOSE):
        details.append(pen.strip(at(0, 0.14, 0.98), at(0, -0.16, 1.1), 0.012 * height, dim(skin, 0.86)))
        details.append(pen.strip(at(-0.25, -0.5, 0.86), at(0.25, -0.5, 0.86), 0.009 * height, _LIPS))
    return details


def long_hair(pen: Pen, figure: Figure) -> Part:
    """Return hair that hangs down behind the head."""
    skeleton, height = figure.skeleton, figure.height_m
    behind = skeleton.head - skeleton.head_frame[FORWARD] * 0.02 * height
    below = behind - skeleton.torso_frame[UP] * 0.10 * height - skeleton.torso_frame[FORWARD] * 0.02 * height
    return pen.part(np.stack([behind, below]), np.array((0.056, 0.046)) * height, figure.look.hair)
