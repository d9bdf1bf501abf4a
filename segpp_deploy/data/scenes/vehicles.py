"""Painting a car: body surfaces far to near, glass, wheels, lights."""

from __future__ import annotations

import cv2
import numpy as np

from segpp_deploy.data.scenes.camera import NEAR_M, Camera, Points
from segpp_deploy.data.scenes.canvas import Colour
from segpp_deploy.data.scenes.cars import Car, CarShape, Profile, body_point, car_corners, place, strip_of
from segpp_deploy.data.scenes.classes import SceneClass
from segpp_deploy.data.scenes.lighting import Light, Vector
from segpp_deploy.data.scenes.view import TOWARDS_CAMERA, View

_RUBBER: Colour = (24.0, 24.0, 25.0)
_RIM: Colour = (128.0, 130.0, 134.0)
_HUB: Colour = (70.0, 70.0, 74.0)
_UNDERSIDE: Colour = (16.0, 16.0, 17.0)
_SILL: Profile = ((-0.5, 0.17), (-0.5, 0.3), (0.5, 0.3), (0.5, 0.17))
_PILLAR: Profile = ((-0.06, 0.68), (-0.06, 0.95), (-0.03, 0.95), (-0.03, 0.68))
_RIM_MIN_PX_PER_M = 12


def paint_car(view: View, car: Car) -> None:
    """Paint a car; one that reaches behind the camera is left out."""
    if car_corners(car)[:, 2].min() < NEAR_M:
        return
    _paint_underside(view, car)
    body = car.shape.value
    last = len(body.profile) - 2
    visible = []
    for index in range(last + 1):
        surface, normal = strip_of(car, index)
        if _faces_camera(view.camera, surface, normal):
            visible.append((float(np.linalg.norm(surface.mean(axis=0))), index, surface, normal))
    for _, index, surface, normal in sorted(visible, key=lambda strip: -strip[0]):
        glass = index in body.glass_strips
        colour = _glass_colour(view.light, normal) if glass else _body_colour(view.light, car.paint, normal)
        view.fill(surface, colour, SceneClass.CAR, car.z_m)
        if index in (0, last):
            _paint_end(view, car, rear=index == 0)
    for across in (-1.0, 1.0):
        _paint_side(view, car, across)


def _faces_camera(camera: Camera, surface: Points, normal: Vector) -> bool:
    towards = np.array([0.0, camera.height_m, 0.0]) - surface.mean(axis=0)
    return float(np.dot(normal, towards)) > 0


def _body_colour(light: Light, paint: Colour, normal: Vector) -> Colour:
    """Paint is a little glossy: faces that look up mirror the sky."""
    red, green, blue = light.shade(paint, normal)
    gloss = 0.14 * max(0.0, normal[1]) + 0.03
    sky = light.horizon
    return red + sky[0] * gloss, green + sky[1] * gloss, blue + sky[2] * gloss


def _glass_colour(light: Light, normal: Vector) -> Colour:
    red, green, blue = light.shade((34, 38, 42), normal)
    mirror = 0.1 + 0.25 * max(0.0, normal[1])
    sky = light.horizon
    return red + sky[0] * mirror, green + sky[1] * mirror, blue + sky[2] * mirror


def _paint_underside(view: View, car: Car) -> None:
    """Tyres and the dark space under the body, as boxes."""
    dark = view.light.shade(_UNDERSIDE, TOWARDS_CAMERA)
    for along in (-0.33, 0.33):
        for across in (-1.0, 1.0):
            _paint_box(view, car, (along - 0.07, along + 0.07), (across * 0.78, across * 0.98), (0.0, 0.3), dark)
    _paint_box(view, car, (-0.46, 0.46), (-0.9, 0.9), (0.12, 0.3), dark)


def _paint_box(
    view: View,
    car: Car,
    along: tuple[float, float],
    across: tuple[float, float],
    height: tuple[float, float],
    colour: Colour,
) -> None:
    """The outline of a box given in shares of the body, in one colour."""
    corners = np.array([body_point(car, a, s, h) for a in along for s in across for h in height])
    outline = cv2.convexHull(view.camera.project(corners).astype(np.float32))[:, 0, :]
    view.canvas.fill(outline.astype(np.float64), colour, SceneClass.CAR, car.z_m)


def _paint_side(view: View, car: Car, across: float) -> None:
    body = car.shape.value
    normal = (across * float(np.cos(car.heading_rad)), 0.15, -across * float(np.sin(car.heading_rad)))

    def panel(shape: Profile) -> Points:
        return np.array([body_point(car, along, across, height) for along, height in shape])

    if not _faces_camera(view.camera, panel(body.profile), normal):
        return
    light = view.light
    view.fill(panel(body.profile), _body_colour(light, car.paint, normal), SceneClass.CAR, car.z_m)
    view.detail(panel(_SILL), _body_colour(light, _darker(car.paint, 0.72), normal))
    view.detail(panel(body.side_glass), _glass_colour(light, normal))
    if car.shape is not CarShape.VAN:
        view.detail(panel(_PILLAR), _body_colour(light, _darker(car.paint, 0.6), normal))
    for along in (-0.32, 0.32):
        _paint_wheel(view, car, along, across)


def _paint_wheel(view: View, car: Car, along: float, across: float) -> None:
    body = car.shape.value
    radius = 0.075 * body.length_m
    turns = np.linspace(0, 2 * np.pi, 15)[:-1]
    middle, outside = along * body.length_m * car.scale, across * 1.01 * body.width_m * car.scale / 2

    def ring(size: float) -> Points:
        circle = ((size * float(np.cos(t)), size * float(np.sin(t))) for t in turns)
        return np.array([place(car, middle + x, outside, max(0.0, radius + y)) for x, y in circle])

    view.fill(ring(radius), view.light.shade(_RUBBER, TOWARDS_CAMERA), SceneClass.CAR, car.z_m)
    if view.camera.pixels_per_metre(car.z_m) > _RIM_MIN_PX_PER_M:
        view.detail(ring(radius * 0.62), view.light.shade(_RIM, TOWARDS_CAMERA))
        view.detail(ring(radius * 0.25), view.light.shade(_HUB, TOWARDS_CAMERA))


def _paint_end(view: View, car: Car, *, rear: bool) -> None:
    """Lights, number plate and bumper of the rear or the front."""
    along = -0.503 if rear else 0.503
    top = car.shape.value.profile[1 if rear else -2][1]
    lamp: Colour = (165.0, 22.0, 22.0) if rear else (225.0, 228.0, 230.0)
    lamp = view.light.shade(lamp, TOWARDS_CAMERA)
    if view.light.lamps_on:
        lamp = (255.0, 60.0, 45.0) if rear else (255.0, 250.0, 220.0)

    def panel(left: float, right: float, low: float, high: float, colour: Colour) -> None:
        corners = ((left, low), (left, high), (right, high), (right, low))
        view.detail(np.array([body_point(car, along, across, height) for across, height in corners]), colour)

    def shaded(colour: Colour) -> Colour:
        return view.light.shade(colour, TOWARDS_CAMERA)

    panel(-1.0, 1.0, 0.17, 0.30, shaded(_darker(car.paint, 0.5)))
    panel(-0.98, -0.66, top - 0.16, top - 0.03, lamp)
    panel(0.66, 0.98, top - 0.16, top - 0.03, lamp)
    if not rear:
        panel(-0.55, 0.55, top - 0.15, top - 0.05, shaded((30.0, 30.0, 32.0)))
    panel(-0.28, 0.28, 0.3, 0.38, shaded((215.0, 215.0, 205.0)))


def _darker(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor
