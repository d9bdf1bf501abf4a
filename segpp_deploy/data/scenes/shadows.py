"""Shadows on the ground: each object's outline pushed away from the sun, and the dark under cars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.scenes.camera import NEAR_M, Camera, Points
from segpp_deploy.data.scenes.cars import car_corners
from segpp_deploy.data.scenes.layout import Block, Layout
from segpp_deploy.data.scenes.view import View

_MAX_REACH = 3.5  # metres of shadow per metre of height; longer ones leave the street anyway
_SUBPIXEL_BITS = 4


class Upright(Protocol):
    """Something thin that stands on the ground."""

    @property
    def x_m(self) -> float:
        """To the right."""

    @property
    def z_m(self) -> float:
        """Ahead."""

    @property
    def height_m(self) -> float:
        """How tall it is."""


def paint_shadows(view: View, layout: Layout, figures: Sequence[Upright] = ()) -> None:
    """Darken the ground; call it after the ground and before anything that stands on it."""
    shape = view.canvas.labels.shape
    cast, contact = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for outline in _cast_outlines(layout, figures):
        _fill_ground(cast, view.camera, outline)
    for car in layout.cars:
        corners = car_corners(car, grow_m=0.12)
        if corners[:, 2].min() > NEAR_M:
            _fill_ground(contact, view.camera, corners)
    radius = max(0.4, shape[0] / 512)
    dark = cv2.GaussianBlur(cast * np.float32(layout.light.shadow_strength / 255), (0, 0), radius)
    soft = cv2.GaussianBlur(contact * np.float32(0.62 / 255), (0, 0), 2 * radius)
    top = min(shape[0] - 1, max(0, int(view.camera.horizon_v)))
    keep = (1 - np.asarray(dark)[top:]) * (1 - np.asarray(soft)[top:])
    # Shade is lit by the blue sky.
    tint = np.array((1.0, 1.0, 1.0), np.float32) + (1 - keep)[..., None] * np.array((-0.04, 0.0, 0.07), np.float32)
    lit = view.canvas.image[top:].astype(np.float32) * keep[..., None] * tint
    view.canvas.image[top:] = np.clip(lit, 0, 255).astype(np.uint8)


def _cast_outlines(layout: Layout, figures: Sequence[Upright]) -> list[Points]:
    """Ground outlines [N, 3] of all cast shadows."""
    light = layout.light
    if light.shadow_strength < 0.12:
        return []
    reach = np.array([-light.to_sun[0], 0.0, -light.to_sun[2]]) / max(light.to_sun[1], 1e-3)
    length = float(np.linalg.norm(reach))
    reach *= min(1.0, _MAX_REACH / max(length, 1e-6))
    outlines = [
        _hull(_with_shift(_block_base(layout, block), reach * block.building.height_m)) for block in layout.blocks
    ]
    for car in layout.cars:
        outlines.append(_hull(_with_shift(car_corners(car), reach * car.shape.value.height_m)))
    for tree in layout.trees:
        foot = np.array([tree.x_m, 0.0, tree.z_m])
        if tree.trunk_m:
            outlines.append(_stick(foot, reach * tree.trunk_m, 0.14))
        middle = foot + reach * (tree.trunk_m + tree.crown_height_m * 0.5)
        outlines.append(_blob(middle, tree.crown_width_m * 0.46, reach * tree.crown_height_m * 0.4))
    for person in (*layout.people, *figures):
        foot = np.array([person.x_m, 0.0, person.z_m])
        outlines.append(_stick(foot, reach * person.height_m, 0.2))
    for post in layout.posts:
        foot = np.array([post.x_m, 0.0, post.z_m])
        outlines.append(_stick(foot, reach * post.height_m, 0.07))
    return outlines


def _block_base(layout: Layout, block: Block) -> Points:
    outer = block.lateral_m + block.sign * block.depth_m
    return layout.street.points(
        (block.lateral_m, 0, block.start_m),
        (block.lateral_m, 0, block.end_m),
        (outer, 0, block.end_m),
        (outer, 0, block.start_m),
    )


def _with_shift(base: Points, shift: Points) -> Points:
    return np.concatenate([base, base + shift])


def _stick(foot: Points, shift: Points, half_m: float) -> Points:
    across = np.array([shift[2], 0.0, -shift[0]])
    across = across / max(float(np.linalg.norm(across)), 1e-6) * half_m
    return np.stack([foot - across, foot + shift - across, foot + shift + across, foot + across])


def _blob(middle: Points, radius_m: float, stretch: Points) -> Points:
    """An uneven ellipse, stretched along the shadow."""
    turns = np.linspace(0, 2 * np.pi, 21)[:-1]
    wobble = radius_m * (1 + 0.12 * np.sin(5 * turns + middle[0]) + 0.08 * np.sin(9 * turns))
    circle = np.stack([np.cos(turns) * wobble, 0 * turns, np.sin(turns) * wobble], axis=1)
    direction = stretch / max(float(np.linalg.norm(stretch)), 1e-6)
    return np.asarray(middle + circle + (circle @ direction)[:, None] / radius_m * stretch)


def _hull(points: Points) -> Points:
    flat = cv2.convexHull(points[:, [0, 2]].astype(np.float32))[:, 0, :]
    return np.stack([flat[:, 0], np.zeros(len(flat)), flat[:, 1]], axis=1).astype(np.float64)


def _fill_ground(mask: NDArray[np.uint8], camera: Camera, outline: Points) -> None:
    """Fill a ground polygon in the picture, cut off in front of the camera."""
    visible = _cut_near(outline)
    if len(visible) < 3:
        return
    pixels = np.clip(camera.project(visible) - 0.5, -30_000, 30_000)
    fixed = np.rint(pixels * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SUBPIXEL_BITS)


def _cut_near(outline: Points) -> Points:
    """Clip a polygon against the near plane."""
    kept: list[Points] = []
    for current, following in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        inside, next_inside = current[2] >= NEAR_M, following[2] >= NEAR_M
        if inside:
            kept.append(current)
        if inside != next_inside:
            share = (NEAR_M - current[2]) / (following[2] - current[2])
            kept.append(current + share * (following - current))
    return np.array(kept)
