"""Cars as shapes: a side profile, drawn out over the car's width and put on the ground."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from segpp_deploy.data.scenes.camera import Points
from segpp_deploy.data.scenes.canvas import Colour
from segpp_deploy.data.scenes.lighting import Vector

Profile = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class BodyShape:
    """A side view: points (share of length from the middle, share of height), rear bottom first.

    Args:
        length_m, width_m, height_m: typical size.
        profile: the outline over the roof to the front bottom.
        glass_strips: which profile segments are windscreens.
        side_glass: the side window's outline.
    """

    length_m: float
    width_m: float
    height_m: float
    profile: Profile
    glass_strips: tuple[int, ...]
    side_glass: Profile


class CarShape(Enum):
    """The kinds of car."""

    SEDAN = BodyShape(
        4.6,
        1.8,
        1.45,
        (
            (-0.5, 0.17),
            (-0.5, 0.56),
            (-0.47, 0.67),
            (-0.33, 0.70),
            (-0.19, 0.97),
            (0.08, 1.0),
            (0.26, 0.70),
            (0.45, 0.60),
            (0.5, 0.47),
            (0.5, 0.17),
        ),
        (3, 5),
        ((-0.29, 0.69), (-0.175, 0.92), (0.07, 0.94), (0.20, 0.69)),
    )
    HATCH = BodyShape(
        4.0,
        1.75,
        1.5,
        (
            (-0.5, 0.17),
            (-0.5, 0.58),
            (-0.47, 0.68),
            (-0.38, 0.96),
            (0.06, 1.0),
            (0.25, 0.70),
            (0.45, 0.60),
            (0.5, 0.46),
            (0.5, 0.17),
        ),
        (2, 4),
        ((-0.40, 0.69), (-0.335, 0.92), (0.05, 0.94), (0.19, 0.69)),
    )
    SUV = BodyShape(
        4.6,
        1.95,
        1.8,
        (
            (-0.5, 0.18),
            (-0.5, 0.60),
            (-0.48, 0.66),
            (-0.41, 0.97),
            (0.08, 1.0),
            (0.24, 0.69),
            (0.46, 0.62),
            (0.5, 0.50),
            (0.5, 0.18),
        ),
        (2, 4),
        ((-0.43, 0.67), (-0.37, 0.92), (0.07, 0.94), (0.18, 0.68)),
    )
    VAN = BodyShape(
        5.2,
        2.0,
        2.2,
        ((-0.5, 0.14), (-0.5, 0.95), (-0.48, 1.0), (0.2, 1.0), (0.36, 0.62), (0.48, 0.52), (0.5, 0.38), (0.5, 0.14)),
        (3,),
        ((0.04, 0.62), (0.04, 0.9), (0.18, 0.91), (0.29, 0.62)),
    )


@dataclass(frozen=True)
class Car:
    """A car on the ground: heading is the angle from z (straight ahead) towards x, in radians."""

    shape: CarShape
    x_m: float
    z_m: float
    heading_rad: float
    scale: float
    paint: Colour


def sample_car(rng: np.random.Generator, x_m: float, z_m: float, heading_rad: float) -> Car:
    """Draw a car; most are grey, black or white, as in real streets."""
    grey = rng.uniform(28, 225)
    paint: Colour = (grey, grey, grey * rng.uniform(0.97, 1.05))
    if rng.random() < 0.4:
        hues: tuple[Colour, ...] = (
            (150, 30, 32),
            (36, 62, 120),
            (34, 78, 60),
            (170, 140, 60),
            (96, 120, 150),
            (110, 70, 50),
        )
        paint = hues[int(rng.integers(len(hues)))]
    shapes = tuple(CarShape)
    shape = shapes[int(rng.choice(4, p=(0.36, 0.3, 0.22, 0.12)))]
    return Car(shape, x_m, z_m, heading_rad, float(rng.uniform(0.94, 1.06)), paint)


def car_corners(car: Car, grow_m: float = 0.0) -> Points:
    """The four ground corners [4, 3] in metres."""
    body = car.shape.value
    half_l, half_w = body.length_m * car.scale / 2 + grow_m, body.width_m * car.scale / 2 + grow_m
    places = ((-half_l, -half_w), (half_l, -half_w), (half_l, half_w), (-half_l, half_w))
    return np.array([place(car, along, across, 0.0) for along, across in places])


def place(car: Car, along_m: float, across_m: float, height_m: float) -> Vector:
    """World point from metres along and across the car, counted from its middle."""
    sine, cosine = np.sin(car.heading_rad), np.cos(car.heading_rad)
    return (
        float(car.x_m + along_m * sine + across_m * cosine),
        height_m,
        float(car.z_m + along_m * cosine - across_m * sine),
    )


def body_point(car: Car, along: float, across: float, height: float) -> Vector:
    """World point from shares of the body's size; the cabin leans in towards the roof."""
    body = car.shape.value
    lean = 1 - 0.16 * max(0.0, (height - 0.66) / 0.34)
    return place(
        car,
        along * body.length_m * car.scale,
        across * lean * body.width_m * car.scale / 2,
        height * body.height_m * car.scale,
    )


def strip_of(car: Car, index: int) -> tuple[Points, Vector]:
    """The surface [4, 3] over one segment of the profile, and its outward normal."""
    body = car.shape.value
    (a0, h0), (a1, h1) = body.profile[index], body.profile[index + 1]
    quad = np.array([body_point(car, a, s, h) for a, s, h in ((a0, -1, h0), (a1, -1, h1), (a1, 1, h1), (a0, 1, h0))])
    along, up = (h0 - h1) * body.height_m, (a1 - a0) * body.length_m
    length = max(float(np.hypot(along, up)), 1e-6)
    along, up = along / length, up / length
    return quad, (float(along * np.sin(car.heading_rad)), up, float(along * np.cos(car.heading_rad)))
