"""People: walking figures of a few joined shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segpp_deploy.data.scenes.camera import Points
from segpp_deploy.data.scenes.canvas import Colour
from segpp_deploy.data.scenes.classes import SceneClass
from segpp_deploy.data.scenes.clothing import HAIRS, SKINS, dim, sample_cloth
from segpp_deploy.data.scenes.view import TOWARDS_CAMERA, View


@dataclass(frozen=True)
class Person:
    """A standing or walking person; `stride` is the half angle between the legs in radians."""

    x_m: float
    z_m: float
    height_m: float
    stride: float
    build: float
    skin: Colour
    hair: Colour
    top: Colour
    trousers: Colour
    coat: bool
    bag: bool


def sample_person(rng: np.random.Generator, x_m: float, z_m: float) -> Person:
    """Draw a person; clothes are often as dark as the street."""
    return Person(
        x_m,
        z_m,
        height_m=float(rng.uniform(1.05, 1.4) if rng.random() < 0.12 else rng.uniform(1.55, 1.92)),
        stride=float(rng.uniform(0, 0.42)),
        build=float(rng.uniform(0.85, 1.25)),
        skin=SKINS[int(rng.integers(4))],
        hair=HAIRS[int(rng.integers(4))],
        top=sample_cloth(rng),
        trousers=sample_cloth(rng, dark=True),
        coat=bool(rng.random() < 0.3),
        bag=bool(rng.random() < 0.3),
    )


def paint_person(view: View, person: Person) -> None:
    """Paint a person facing along the street."""
    scale = view.camera.pixels_per_metre(person.z_m) * person.height_m
    foot = view.camera.project(np.array([[person.x_m, 0.0, person.z_m]]))[0]

    def draw(shape: Points, colour: Colour) -> None:
        pixels = foot + shape * np.array([scale, -scale])
        view.canvas.fill(pixels, view.light.shade(colour, TOWARDS_CAMERA), SceneClass.PERSON, person.z_m)

    sway = float(np.sin(person.stride)) * 0.46
    wide = 0.115 * person.build
    hip = 0.49
    draw(_limb((-0.03, hip), (-0.03 - sway * 0.8, 0.02), 0.052, 0.032), dim(person.trousers, 0.82))
    draw(_limb((0.03, hip), (0.03 + sway, 0.02), 0.055, 0.034), person.trousers)
    for side in (-1.0, 1.0):
        toe = -0.03 - sway * 0.8 if side < 0 else 0.03 + sway
        draw(_limb((toe - 0.015, 0.018), (toe + 0.05, 0.012), 0.02, 0.016), (30, 27, 26))
    draw(_limb((-wide * 0.9, 0.79), (-wide * 1.25 + sway * 0.5, 0.5), 0.034, 0.026), dim(person.top, 0.8))
    if person.bag:
        draw(_limb((-wide * 1.1, 0.72), (-wide * 1.05, 0.56), 0.055, 0.06), dim(person.top, 0.5))
    hem = 0.34 if person.coat else 0.47
    flare = 1.15 if person.coat else 0.9
    torso = np.array(
        [
            (-wide * 0.75, 0.835),
            (wide * 0.75, 0.835),
            (wide, 0.78),
            (wide * 0.82, 0.6),
            (wide * flare, hem),
            (-wide * flare, hem),
            (-wide * 0.82, 0.6),
            (-wide, 0.78),
        ]
    )
    draw(torso, person.top)
    draw(_limb((wide * 0.9, 0.79), (wide * 1.25 - sway * 0.5, 0.5), 0.036, 0.026), dim(person.top, 1.1))
    draw(_limb((0.0, 0.86), (0.0, 0.82), 0.03, 0.034), dim(person.skin, 0.85))
    draw(_ellipse((0.0, 0.925), 0.052, 0.068), person.skin)
    hair = _ellipse((0.0, 0.945), 0.056, 0.058)
    draw(hair[hair[:, 1] > 0.925], person.hair)


def _limb(start: tuple[float, float], end: tuple[float, float], start_half: float, end_half: float) -> Points:
    """A tapered bar [4, 2] with the given half widths."""
    first, last = np.array(start), np.array(end)
    along = (last - first) / max(float(np.linalg.norm(last - first)), 1e-6)
    across = np.array([-along[1], along[0]])
    return np.array(
        [first + across * start_half, first - across * start_half, last - across * end_half, last + across * end_half]
    )


def _ellipse(centre: tuple[float, float], radius_x: float, radius_y: float) -> Points:
    turns = np.linspace(0, 2 * np.pi, 17)[:-1]
    return np.stack([centre[0] + radius_x * np.cos(turns), centre[1] + radius_y * np.sin(turns)], axis=1)
