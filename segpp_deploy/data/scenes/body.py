"""A figure in the picture: its parts from far to near, and which of its joints can be seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from segpp_deploy.data.scenes.camera import Points
from segpp_deploy.data.scenes.canvas import Canvas, Colour
from segpp_deploy.data.scenes.classes import SceneClass
from segpp_deploy.data.scenes.clothing import dim
from segpp_deploy.data.scenes.figure import Figure, Garment
from segpp_deploy.data.scenes.heads import faces_camera, head_part, long_hair
from segpp_deploy.data.scenes.joints import ANKLES, ELBOWS, FACE, HIPS, KNEES, SHOULDERS, WRISTS, Joint
from segpp_deploy.data.scenes.parts import Detail, Part, Pen
from segpp_deploy.data.scenes.skeleton import FORWARD, LEFT, SIDES, UP

_SEAT: Colour = (112.0, 98.0, 84.0)
_FRONT_SEEN_FROM = 0.15
_FAR_SIDE = -0.6  # cosine; a shoulder or hip on the far side of the torso is hidden by it


def body_parts(pen: Pen, figure: Figure) -> list[Part]:
    """Return the figure's parts, the farthest first."""
    parts = [*_trunk(pen, figure), head_part(pen, figure)]
    for side in range(2):
        parts += _arm(pen, figure, side)
        parts += _leg(pen, figure, side)
    if figure.look.long_hair:
        parts.append(long_hair(pen, figure))
    if figure.look.backpack:
        parts.append(_backpack(pen, figure))
    if figure.posture.seated:
        parts.append(_seat(pen, figure))
    return sorted(parts, key=lambda part: -part.depth_m)


def can_be_seen(pen: Pen, figure: Figure, joint: Joint) -> bool:
    """Whether a joint lies on a side of head or torso that the camera sees; limbs hide no joint of their own."""
    if joint in FACE:
        return faces_camera(pen, figure, joint)
    if joint in SHOULDERS or joint in HIPS:
        skeleton = figure.skeleton
        frame = skeleton.torso_frame if joint in SHOULDERS else skeleton.pelvis_frame
        outward = frame[LEFT] * SIDES[int(joint in (SHOULDERS[1], HIPS[1]))]
        return float(outward @ pen.towards_camera(skeleton.joints[joint])) > _FAR_SIDE
    return True


def shown_joints(canvas: Canvas, parts: list[Part], pixels: Points) -> list[bool]:
    """Say for each joint whether the picture shows, at its place ([17, 2] pixels), a part it belongs to.

    Parts are told apart by their distance: no two are exactly as far away.
    """
    height, width = canvas.depth_m.shape
    depths = {joint: [np.float32(part.depth_m) for part in parts if joint in part.shows] for joint in Joint}
    cells = np.floor(pixels).astype(int)
    return [
        bool(0 <= x < width and 0 <= y < height and canvas.depth_m[y, x] in depths[joint])
        for joint, (x, y) in zip(Joint, cells, strict=True)
    ]


def _trunk(pen: Pen, figure: Figure) -> list[Part]:
    """Neck, torso, pelvis, and what hangs over the thighs."""
    look, skeleton, height = figure.look, figure.skeleton, figure.height_m
    shoulders, hips = skeleton.joints[list(SHOULDERS)], skeleton.joints[list(HIPS)]
    wide = height * look.build
    waist = skeleton.pelvis + 0.35 * (skeleton.neck - skeleton.pelvis)
    middle = (shoulders + skeleton.neck) / 2 - skeleton.torso_frame[UP] * 0.02 * height
    balls = np.concatenate([shoulders * 0.85 + middle * 0.15, middle, waist[None], hips])
    radii = np.array((0.041, 0.041, 0.045, 0.045, 0.07, 0.056, 0.056)) * wide
    torso = pen.part(balls, radii, look.top, *SHOULDERS, *HIPS)
    torso = replace(torso, details=(*torso.details, *_torso_front(pen, figure)))
    neck = np.stack([skeleton.neck - skeleton.torso_frame[UP] * 0.01 * height, skeleton.head])
    pelvis = np.concatenate([hips, hips - skeleton.pelvis_frame[UP] * 0.03 * height])
    parts = [
        torso,
        pen.part(neck, np.array((0.032, 0.034)) * height, dim(look.skin, 0.88)),
        pen.part(pelvis, np.full(4, 0.058) * wide, look.trousers, *HIPS, nearer_m=-0.01),
    ]
    if look.garment is not Garment.NONE:
        parts.append(_garment(pen, figure))
    return parts


def _torso_front(pen: Pen, figure: Figure) -> list[Detail]:
    """A collar and a line of buttons, which tell front from back."""
    look, skeleton, height = figure.look, figure.skeleton, figure.height_m
    frame = skeleton.torso_frame
    if float(frame[FORWARD] @ pen.towards_camera(skeleton.neck)) < _FRONT_SEEN_FROM:
        return []
    ahead = frame[FORWARD] * 0.06 * height
    top, bottom = skeleton.neck + 0.6 * ahead, skeleton.pelvis + ahead
    collar = np.stack(
        [top + frame[LEFT] * 0.035 * height, top - frame[LEFT] * 0.035 * height, top + (bottom - top) * 0.22]
    )
    return [
        pen.strip(top + (bottom - top) * 0.1, bottom, 0.012 * height, look.accent),
        pen.patch(collar, look.skin if look.short_sleeves else look.accent),
    ]


def _garment(pen: Pen, figure: Figure) -> Part:
    """A skirt or the lower half of a coat, over the thighs."""
    look, joints, height = figure.look, figure.skeleton.joints, figure.height_m
    hips, knees = joints[list(HIPS)], joints[list(KNEES)]
    reach = 0.62 if look.garment is Garment.COAT else 0.8
    hem = hips + reach * (knees - hips)
    balls = np.concatenate([hips, hem])
    radii = np.array((0.063, 0.063, 0.058, 0.058)) * height * look.build
    colour = look.top if look.garment is Garment.COAT else look.trousers
    part = pen.part(balls, radii, colour, *HIPS)
    nearest = min(float(hips[:, 2].min()), float((hips + knees)[:, 2].min() / 2))
    return replace(part, depth_m=min(part.depth_m, nearest - 0.001))


def _arm(pen: Pen, figure: Figure, side: int) -> list[Part]:
    look, skeleton, height = figure.look, figure.skeleton, figure.height_m
    shoulder, elbow, wrist = (skeleton.joints[pair[side]] for pair in (SHOULDERS, ELBOWS, WRISTS))
    wide = height * (0.5 + 0.5 * look.build)
    forearm = look.skin if look.short_sleeves else look.top
    return [
        pen.part(np.stack([shoulder, elbow]), np.array((0.041, 0.031)) * wide, look.top, SHOULDERS[side], ELBOWS[side]),
        pen.part(np.stack([elbow, wrist]), np.array((0.029, 0.022)) * wide, forearm, ELBOWS[side], WRISTS[side]),
        pen.part(np.stack([wrist, skeleton.hands[side]]), np.array((0.018, 0.022)) * wide, look.skin, WRISTS[side]),
    ]


def _leg(pen: Pen, figure: Figure, side: int) -> list[Part]:
    look, skeleton, height = figure.look, figure.skeleton, figure.height_m
    hip, knee, ankle = (skeleton.joints[pair[side]] for pair in (HIPS, KNEES, ANKLES))
    wide = height * (0.5 + 0.5 * look.build)
    shank = look.skin if look.shorts else look.trousers
    foot = np.stack([ankle, skeleton.heels[side], skeleton.toes[side]])
    return [
        pen.part(np.stack([hip, knee]), np.array((0.057, 0.042)) * wide, look.trousers, HIPS[side], KNEES[side]),
        pen.part(np.stack([knee, ankle]), np.array((0.039, 0.026)) * wide, shank, KNEES[side], ANKLES[side]),
        pen.part(foot, np.array((0.025, 0.021, 0.018)) * wide, look.shoes, ANKLES[side]),
    ]


def _backpack(pen: Pen, figure: Figure) -> Part:
    look, skeleton, height = figure.look, figure.skeleton, figure.height_m
    behind = -skeleton.torso_frame[FORWARD] * 0.1 * height
    balls = np.stack([skeleton.neck + behind - skeleton.torso_frame[UP] * share * height for share in (0.08, 0.2)])
    return pen.part(balls, np.array((0.065, 0.072)) * height, dim(look.accent, 0.8))


def _seat(pen: Pen, figure: Figure) -> Part:
    """A block under the pelvis."""
    skeleton, height = figure.skeleton, figure.height_m
    half, top = 0.13 * height, max(0.05, float(skeleton.pelvis[1]) - 0.065 * height)
    corners = np.array([(x, y, z) for x in (-half, half) for y in (0.0, top) for z in (-half, half)])
    corners[:, [0, 2]] += skeleton.pelvis[[0, 2]]
    outline, colour = pen.patch(corners, _SEAT)
    return Part(outline, colour, float(skeleton.pelvis[2]) + 0.02, label=SceneClass.BUILDING)
