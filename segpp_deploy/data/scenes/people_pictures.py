"""A picture of articulated people from a seed, with the keypoints of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import starmap

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import Size
from segpp_deploy.data.scenes.body import body_parts, can_be_seen, shown_joints
from segpp_deploy.data.scenes.camera import Camera
from segpp_deploy.data.scenes.canvas import Canvas
from segpp_deploy.data.scenes.classes import SceneClass
from segpp_deploy.data.scenes.crowd import Crowd, inside_picture, sample_crowd
from segpp_deploy.data.scenes.figure import Figure
from segpp_deploy.data.scenes.generator import paint_far_to_near, street_jobs
from segpp_deploy.data.scenes.ground import paint_ground
from segpp_deploy.data.scenes.joints import Joint
from segpp_deploy.data.scenes.parts import Part, Pen
from segpp_deploy.data.scenes.photo import take_photo
from segpp_deploy.data.scenes.shadows import paint_shadows
from segpp_deploy.data.scenes.sky import paint_sky
from segpp_deploy.data.scenes.view import View

DEFAULT_PEOPLE_SIZE = Size(384, 512)

OUTSIDE, HIDDEN, VISIBLE = range(3)
"""COCO's visibility of a keypoint: not labelled, labelled but hidden, visible."""


@dataclass(frozen=True)
class PlacedPerson:
    """Where one person is.

    Args:
        points: float32 [17, 2], x and y of the keypoints in pixels, those of hidden joints too; whole numbers are the
            middles of pixels.
        is_inside: bool [17], whether they lie in the picture.
        box: left, top, right, bottom of the whole figure, cut off at the picture's edges.
    """

    points: NDArray[np.float32]
    is_inside: NDArray[np.bool_]
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class PeoplePicture:
    """A picture of people.

    Args:
        image: uint8 [H, W, 3], RGB.
        people: who is in it.
        visibility: uint8 [17] for each of them, as COCO's: 0 outside of the picture, 1 hidden, 2 visible.
    """

    image: NDArray[np.uint8]
    people: tuple[PlacedPerson, ...]
    visibility: tuple[NDArray[np.uint8], ...]


def place_people(seed: int, size: Size = DEFAULT_PEOPLE_SIZE) -> tuple[PlacedPerson, ...]:
    """Say who is where in the picture of a seed, without painting it."""
    scene = _Scene.of(seed, size)
    return tuple(starmap(partial(_place, scene.pen.camera), zip(scene.crowd.figures, scene.bodies, strict=True)))


def generate_people(seed: int, size: Size = DEFAULT_PEOPLE_SIZE) -> PeoplePicture:
    """Generate the picture of a seed.

    Args:
        seed: any whole number from 0; from `HELD_OUT_SEED` on it is held out from training.
        size: the picture's size in pixels.

    Example:
        >>> picture = generate_people(3, Size(96, 128))
        >>> picture.image.shape, picture.people[0].points.shape
        ((96, 128, 3), (17, 2))
    """
    sky_rng, photo_rng = (np.random.default_rng([seed, stream]) for stream in (2, 3))
    scene = _Scene.of(seed, size)
    view = View(Canvas.blank(size), scene.pen.camera, scene.pen.light)
    scene.paint(view, sky_rng)
    figures = list(zip(scene.crowd.figures, scene.bodies, strict=True))
    return PeoplePicture(
        take_photo(view.canvas, view.light, photo_rng),
        tuple(_place(view.camera, figure, parts) for figure, parts in figures),
        tuple(_visibility(view.canvas, scene.pen, figure, parts) for figure, parts in figures),
    )


@dataclass(frozen=True)
class _Scene:
    """A crowd, seen by its camera: the parts of each figure, the farthest first."""

    crowd: Crowd
    pen: Pen
    bodies: list[list[Part]]

    @classmethod
    def of(cls, seed: int, size: Size) -> _Scene:
        crowd = sample_crowd(seed, size)
        pen = Pen(crowd.layout.lens.camera(size), crowd.layout.light)
        return cls(crowd, pen, [body_parts(pen, figure) for figure in crowd.figures])

    def paint(self, view: View, sky_rng: np.random.Generator) -> None:
        layout, figures = self.crowd.layout, self.crowd.figures
        paint_sky(view, sky_rng)
        paint_ground(view, layout.street, layout.ground)
        paint_shadows(view, layout, figures)
        jobs = [
            (figure.z_m, partial(_paint_parts, view, parts)) for figure, parts in zip(figures, self.bodies, strict=True)
        ]
        paint_far_to_near([*street_jobs(view, layout), *jobs])


def _paint_parts(view: View, parts: list[Part]) -> None:
    for part in parts:
        part.paint(view.canvas)


def _place(camera: Camera, figure: Figure, parts: list[Part]) -> PlacedPerson:
    pixels = camera.project(figure.skeleton.joints)
    # The camera counts from the picture's corner, annotations from the middle of its first pixel.
    points = (pixels - 0.5).astype(np.float32)
    return PlacedPerson(points, inside_picture(pixels, camera.size), _box(camera.size, parts))


def _box(size: Size, parts: list[Part]) -> tuple[float, float, float, float]:
    """The extent of a figure, as an annotator draws it."""
    outline = np.concatenate([part.outline for part in parts if part.label is SceneClass.PERSON]) - 0.5
    last = (size.width - 1.0, size.height - 1.0)
    left, top = np.clip(outline.min(axis=0), 0, last).tolist()
    right, bottom = np.clip(outline.max(axis=0), 0, last).tolist()
    return left, top, right, bottom


def _visibility(canvas: Canvas, pen: Pen, figure: Figure, parts: list[Part]) -> NDArray[np.uint8]:
    pixels = pen.camera.project(figure.skeleton.joints)
    visibility = np.where(inside_picture(pixels, pen.camera.size), HIDDEN, OUTSIDE).astype(np.uint8)
    for joint, shown in zip(Joint, shown_joints(canvas, parts, pixels), strict=True):
        if shown and can_be_seen(pen, figure, joint):
            visibility[joint] = VISIBLE
    return visibility
