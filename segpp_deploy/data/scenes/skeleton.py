"""From a posture to points in space: the joints of a figure, by forward kinematics.

Lengths are shares of the figure's height when it stands upright.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segpp_deploy.data.scenes.camera import Points
from segpp_deploy.data.scenes.joints import ANKLES, ELBOWS, HIPS, KNEES, SHOULDERS, WRISTS, Joint
from segpp_deploy.data.scenes.postures import Limb, Posture

LEFT, UP, FORWARD = range(3)
"""Rows of a frame [3, 3]: a body's own axes."""

SIDES = (1.0, -1.0)
"""Left and right along a frame's first axis."""

HEAD_RADII = np.array((0.046, 0.066, 0.056))
_HIP_OUT, _HIP_DOWN, _SHOULDER_OUT = 0.055, 0.01, 0.105
_TORSO, _NECK, _HEAD = 0.30, 0.035, 0.075
_UPPER_ARM, _FOREARM, _HAND = 0.165, 0.145, 0.045
_THIGH, _SHANK = 0.245, 0.235
_ANKLE_HEIGHT, _HEEL_BACK, _TOE_AHEAD = 0.045, 0.03, 0.095
_SUPPORTING = 0.05  # a foot whose ankle is not this much higher than the other one stands flat
_FACE = {
    Joint.NOSE: (0.0, -0.12, 0.96),
    Joint.LEFT_EYE: (0.38, 0.16, 0.88),
    Joint.RIGHT_EYE: (-0.38, 0.16, 0.88),
    Joint.LEFT_EAR: (0.95, 0.02, -0.05),
    Joint.RIGHT_EAR: (-0.95, 0.02, -0.05),
}
"""Places on the head as shares of its radii."""


@dataclass(frozen=True)
class Skeleton:
    """A figure's points [.., 3] in metres, x right, y up, z forward, as the camera has them.

    Args:
        joints: [17, 3], by `Joint`.
        hands, heels, toes: [2, 3], left and right.
        pelvis, neck, head: centres [3].
        pelvis_frame, torso_frame, head_frame: [3, 3], unit vectors to the body's left, up and forward.
    """

    joints: Points
    hands: Points
    heels: Points
    toes: Points
    pelvis: Points
    neck: Points
    head: Points
    pelvis_frame: Points
    torso_frame: Points
    head_frame: Points


def pose_skeleton(posture: Posture, height_m: float, heading_rad: float, foot: Points) -> Skeleton:
    """Return a figure's points.

    Args:
        posture: the angles.
        height_m: of the figure when it stands upright.
        heading_rad: where it faces: 0 is the camera, pi / 2 the right of the picture.
        foot: the place [3] that it stands on.
    """
    sine, cosine = np.sin(heading_rad), np.cos(heading_rad)
    upright = np.array([(cosine, 0.0, sine), (0.0, 1.0, 0.0), (sine, 0.0, -cosine)])
    pelvis_frame = _turned(upright, UP, FORWARD, 0.3 * posture.lean)
    torso_frame = _turned(upright, UP, FORWARD, posture.lean)
    torso_frame = _turned(torso_frame, UP, LEFT, posture.tilt)
    torso_frame = _turned(torso_frame, FORWARD, LEFT, posture.twist)
    head_frame = _turned(_turned(torso_frame, FORWARD, LEFT, posture.turn), UP, FORWARD, posture.nod)
    neck = torso_frame[UP] * _TORSO
    head = neck + torso_frame[UP] * _NECK + head_frame[UP] * _HEAD
    joints = np.zeros((len(Joint), 3))  # from the pelvis, in heights
    for joint, place in _FACE.items():
        joints[joint] = head + (np.array(place) * HEAD_RADII) @ head_frame
    hands = _set_arms(joints, posture.arms, torso_frame)
    heels, toes = _set_legs(joints, posture, pelvis_frame, upright)
    rise = np.array((0.0, _ANKLE_HEIGHT + posture.lift - joints[list(ANKLES), 1].min(), 0.0))

    def in_street(points: Points) -> Points:
        return np.asarray(foot + height_m * (points + rise))

    return Skeleton(
        in_street(joints),
        hands=in_street(hands),
        heels=in_street(heels),
        toes=in_street(toes),
        pelvis=in_street(np.zeros(3)),
        neck=in_street(neck),
        head=in_street(head),
        pelvis_frame=pelvis_frame,
        torso_frame=torso_frame,
        head_frame=head_frame,
    )


def _set_arms(joints: Points, arms: tuple[Limb, Limb], frame: Points) -> Points:
    """Fill in shoulders, elbows and wrists; return the hands [2, 3]."""
    hands = np.zeros((2, 3))
    for side, sign in enumerate(SIDES):
        shoulder = frame[UP] * (_TORSO - 0.015) + frame[LEFT] * sign * _SHOULDER_OUT
        upper, lower, _ = _limb_directions(arms[side], sign, frame)
        joints[SHOULDERS[side]] = shoulder
        joints[ELBOWS[side]] = shoulder + upper * _UPPER_ARM
        joints[WRISTS[side]] = joints[ELBOWS[side]] + lower * _FOREARM
        hands[side] = joints[WRISTS[side]] + lower * _HAND
    return hands


def _set_legs(joints: Points, posture: Posture, pelvis_frame: Points, upright: Points) -> tuple[Points, Points]:
    """Fill in hips, knees and ankles; return heels and toes, [2, 3] each."""
    soles = []
    for side, sign in enumerate(SIDES):
        hip = pelvis_frame[LEFT] * sign * _HIP_OUT - pelvis_frame[UP] * _HIP_DOWN
        upper, lower, ahead = _limb_directions(posture.legs[side], sign, upright)
        joints[HIPS[side]] = hip
        joints[KNEES[side]] = hip + upper * _THIGH
        joints[ANKLES[side]] = joints[KNEES[side]] + lower * _SHANK
        soles.append((lower, ahead))
    ankles = joints[list(ANKLES)]
    for side in range(2):
        if posture.lift == 0 and ankles[side, 1] < ankles[:, 1].min() + _SUPPORTING:
            soles[side] = -upright[UP], upright[FORWARD]
    below = np.stack([down * (_ANKLE_HEIGHT - 0.02) for down, _ in soles])
    along = np.stack([ahead for _, ahead in soles])
    return ankles + below - along * _HEEL_BACK, ankles + below + along * _TOE_AHEAD


def _turned(frame: Points, axis: int, towards: int, angle: float) -> Points:
    """Rotate a frame by moving one of its axes towards another."""
    turned: Points = frame.copy()
    turned[axis] = np.cos(angle) * frame[axis] + np.sin(angle) * frame[towards]
    turned[towards] = np.cos(angle) * frame[towards] - np.sin(angle) * frame[axis]
    return turned


def _limb_directions(limb: Limb, sign: float, frame: Points) -> tuple[Points, Points, Points]:
    """Unit vectors along the upper and the lower part, and where a foot at the end points."""
    rise, level = np.sin(limb.forward), np.cos(limb.forward)
    out, near = np.sin(limb.outward), np.cos(limb.outward)
    upper = np.array((sign * out, -level * near, rise * near))
    ahead = np.array((0.0, rise, level))
    outwards = np.array((sign * near, level * out, -rise * out))
    bend_way = np.cos(limb.spin) * ahead + np.sin(limb.spin) * outwards
    lower = np.cos(limb.bend) * upper + np.sin(limb.bend) * bend_way
    foot = np.sin(limb.bend) * upper - np.cos(limb.bend) * bend_way
    return upper @ frame, lower @ frame, foot @ frame
