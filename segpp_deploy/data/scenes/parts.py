"""Shapes that a figure is painted from: convex outlines around balls in space."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.scenes.camera import NEAR_M, Camera, Points
from segpp_deploy.data.scenes.canvas import Canvas, Colour
from segpp_deploy.data.scenes.classes import SceneClass
from segpp_deploy.data.scenes.clothing import dim
from segpp_deploy.data.scenes.joints import Joint
from segpp_deploy.data.scenes.lighting import Light
from segpp_deploy.data.scenes.view import TOWARDS_CAMERA

Detail = tuple[Points, Colour]
"""An outline in pixels and its colour, lit."""

_TURNS = np.linspace(0, 2 * np.pi, 13)[:-1]
_CIRCLE = np.stack([np.cos(_TURNS), np.sin(_TURNS)], axis=1)
_SHADE = 0.78


@dataclass(frozen=True)
class Part:
    """One piece of a figure in the picture.

    Args:
        outline: [N, 2] pixels.
        colour: lit.
        depth_m: its distance; parts are painted far to near.
        shows: joints that are seen where this part is seen.
        details: painted on it.
        label: what it is.
    """

    outline: Points
    colour: Colour
    depth_m: float
    shows: tuple[Joint, ...] = ()
    details: tuple[Detail, ...] = ()
    label: SceneClass = SceneClass.PERSON

    def paint(self, canvas: Canvas) -> None:
        """Paint it and what lies on it."""
        canvas.fill(self.outline, self.colour, self.label, self.depth_m)
        for outline, colour in self.details:
            canvas.image_detail(outline, colour)


@dataclass(frozen=True)
class Pen:
    """Draws shapes as a camera sees them under a light."""

    camera: Camera
    light: Light

    def part(
        self, balls: Points, radii_m: NDArray[np.float64], colour: Colour, *shows: Joint, nearer_m: float = 0.0
    ) -> Part:
        """Return the hull of balls ([N, 3] metres) as a part, darker on the side that the sun does not reach."""
        centres, radii = self.camera.project(balls), self.radii_px(balls, radii_m)
        lit = self.lit(colour)
        away = 0.42 if self.light.to_sun[0] < 0 else -0.42
        shaded = hull_of_circles(centres + radii[:, None] * np.array((away, 0.08)), 0.58 * radii)
        depth = float(balls[:, 2].mean()) - nearer_m
        return Part(hull_of_circles(centres, radii), lit, depth, shows, ((shaded, dim(lit, _SHADE)),))

    def spot(self, centre: Points, radius_m: float, colour: Colour) -> Detail:
        """Return a disc around a point [3]."""
        balls = centre[None]
        return hull_of_circles(self.camera.project(balls), self.radii_px(balls, np.array([radius_m]))), self.lit(colour)

    def strip(self, start: Points, end: Points, width_m: float, colour: Colour) -> Detail:
        """Return a thin line between two points [3]."""
        balls = np.stack([start, end])
        radii = self.radii_px(balls, np.array([width_m / 2, width_m / 2]))
        return hull_of_circles(self.camera.project(balls), radii), self.lit(colour)

    def patch(self, points: Points, colour: Colour) -> Detail:
        """Return the hull of points [N, 3]."""
        return _hull(self.camera.project(points)), self.lit(colour)

    def lit(self, colour: Colour) -> Colour:
        """Return a colour as it looks on what faces the camera."""
        return self.light.shade(colour, TOWARDS_CAMERA)

    def radii_px(self, balls: Points, radii_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how large balls look."""
        return np.asarray(radii_m * self.camera.focal_px / np.maximum(balls[:, 2], NEAR_M))

    def towards_camera(self, point: Points) -> Points:
        """Return the unit vector [3] from a point to the camera."""
        way = np.array((0.0, self.camera.height_m, 0.0)) - point
        return np.asarray(way / np.linalg.norm(way))


def hull_of_circles(centres: Points, radii: NDArray[np.float64]) -> Points:
    """Return the outline [M, 2] around circles in the picture."""
    rims = centres[:, None] + radii[:, None, None] * _CIRCLE
    return _hull(rims.reshape(-1, 2))


def _hull(pixels: Points) -> Points:
    return np.asarray(cv2.convexHull(pixels.astype(np.float32))[:, 0], np.float64)
