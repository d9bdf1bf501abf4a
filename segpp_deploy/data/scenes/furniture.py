"""Street furniture: lamp posts, traffic lights, sign posts and bollards."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from segpp_deploy.data.scenes.camera import Points
from segpp_deploy.data.scenes.canvas import Colour
from segpp_deploy.data.scenes.classes import SceneClass
from segpp_deploy.data.scenes.view import TOWARDS_CAMERA, View

Outline = tuple[tuple[float, float], ...]


class PostKind(Enum):
    """What a post carries."""

    LAMP = auto()
    TRAFFIC_LIGHT = auto()
    SIGN = auto()
    BOLLARD = auto()


_HEIGHTS_M = {
    PostKind.LAMP: (5.0, 8.0),
    PostKind.TRAFFIC_LIGHT: (3.0, 3.6),
    PostKind.SIGN: (2.3, 3.0),
    PostKind.BOLLARD: (0.8, 1.0),
}
_HALF_WIDTH_M = {
    PostKind.LAMP: 0.085,
    PostKind.TRAFFIC_LIGHT: 0.075,
    PostKind.SIGN: 0.045,
    PostKind.BOLLARD: 0.09,
}
_FACES_AND_RIMS: tuple[tuple[Colour, Colour], ...] = (
    ((232, 232, 228), (190, 24, 28)),
    ((22, 74, 160), (232, 232, 232)),
    ((190, 24, 28), (235, 235, 235)),
    ((230, 186, 40), (40, 40, 40)),
    ((30, 110, 70), (230, 230, 230)),
)


class SignShape(Enum):
    """The plate of a sign, as its number of corners."""

    TRIANGLE = 3
    SQUARE = 4
    OCTAGON = 8
    ROUND = 20


@dataclass(frozen=True)
class Post:
    """A post on the ground; `reach_m` is the signed length of a lamp's arm."""

    kind: PostKind
    x_m: float
    z_m: float
    height_m: float
    reach_m: float
    metal: Colour
    sign: SignShape
    face: Colour
    rim: Colour
    lit: int


def sample_post(rng: np.random.Generator, kind: PostKind, x_m: float, z_m: float, inward: int) -> Post:
    """Draw a post; `inward` is the direction (-1 or 1) of the carriageway."""
    grey = rng.uniform(50, 165)
    face, rim = _FACES_AND_RIMS[int(rng.integers(len(_FACES_AND_RIMS)))]
    return Post(
        kind,
        x_m,
        z_m,
        height_m=float(rng.uniform(*_HEIGHTS_M[kind])),
        reach_m=inward * float(rng.uniform(0.9, 2.0)),
        metal=(grey, grey * 1.02, grey * 1.0),
        sign=tuple(SignShape)[int(rng.integers(4))],
        face=face,
        rim=rim,
        lit=int(rng.integers(3)),
    )


def paint_post(view: View, post: Post) -> None:
    """Paint a post and what it carries."""
    half = _HALF_WIDTH_M[post.kind]
    metal = view.light.shade(post.metal, TOWARDS_CAMERA)
    shaft = ((-half, 0.0), (-half * 0.8, post.height_m), (half * 0.8, post.height_m), (half, 0.0))
    _bar(view, post, shaft, metal)
    shade = (metal[0] * 0.6, metal[1] * 0.6, metal[2] * 0.6)
    edge = -half if view.light.to_sun[0] > 0 else half * 0.3
    stripe = ((edge, 0.0), (edge, post.height_m), (edge + half * 0.6, post.height_m), (edge + half * 0.6, 0.0))
    view.canvas.image_detail(_pixels(view, post, stripe), shade)
    if post.kind is PostKind.LAMP:
        _paint_lamp(view, post, metal)
    elif post.kind is PostKind.TRAFFIC_LIGHT:
        _paint_signals(view, post)
    elif post.kind is PostKind.SIGN:
        _paint_plate(view, post)


def _pixels(view: View, post: Post, shape: Outline) -> Points:
    points = np.array([(post.x_m + x, y, post.z_m) for x, y in shape])
    return view.camera.project(points)


def _bar(view: View, post: Post, shape: Outline, colour: Colour) -> None:
    view.canvas.fill(_pixels(view, post, shape), colour, SceneClass.POLE, post.z_m)


def _paint_lamp(view: View, post: Post, metal: Colour) -> None:
    top, reach = post.height_m, post.reach_m
    arm = ((0.0, top - 0.1), (reach, top + 0.25), (reach, top + 0.34), (0.0, top + 0.05))
    _bar(view, post, arm, metal)
    low, high = reach - 0.1 * np.sign(reach), reach + 0.55 * np.sign(reach)
    head = ((low, top + 0.22), (low, top + 0.4), (high, top + 0.38), (high, top + 0.26))
    _bar(view, post, head, (255.0, 226.0, 160.0) if view.light.lamps_on else metal)


def _paint_signals(view: View, post: Post) -> None:
    top = post.height_m
    box = ((-0.17, top - 0.95), (-0.17, top), (0.17, top), (0.17, top - 0.95))
    colour = view.light.shade((26, 28, 27), TOWARDS_CAMERA)
    view.canvas.fill(_pixels(view, post, box), colour, SceneClass.TRAFFIC_SIGN, post.z_m)
    lamps: tuple[Colour, ...] = ((255, 50, 40), (255, 190, 40), (60, 235, 120))
    for index, lamp in enumerate(lamps):
        on = index == post.lit
        colour = lamp if on else (lamp[0] * 0.22, lamp[1] * 0.22, lamp[2] * 0.22)
        view.canvas.image_detail(_pixels(view, post, _ring(0.0, top - 0.18 - 0.3 * index, 0.11, 12)), colour)


def _paint_plate(view: View, post: Post) -> None:
    corners, radius = post.sign.value, 0.42
    centre = post.height_m - 0.3
    outer = _ring(0.0, centre, radius, corners)
    rim = view.light.shade(post.rim, TOWARDS_CAMERA)
    view.canvas.fill(_pixels(view, post, outer), rim, SceneClass.TRAFFIC_SIGN, post.z_m)
    inner = _ring(0.0, centre, radius * 0.78, corners)
    view.canvas.image_detail(_pixels(view, post, inner), view.light.shade(post.face, TOWARDS_CAMERA))
    mark = ((-0.06, centre - 0.16), (-0.06, centre + 0.16), (0.06, centre + 0.16), (0.06, centre - 0.16))
    view.canvas.image_detail(_pixels(view, post, mark), rim)


def _ring(x: float, y: float, radius: float, corners: int) -> Outline:
    """A regular polygon with a flat side below (a triangle points up)."""
    start = np.pi / 2 + (np.pi / corners if corners % 2 == 0 else 0.0)
    turns = start + 2 * np.pi * np.arange(corners) / corners
    return tuple((x + radius * float(np.cos(t)), y + radius * float(np.sin(t))) for t in turns)
