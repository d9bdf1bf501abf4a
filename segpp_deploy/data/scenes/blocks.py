"""Buildings in their place: street front, end wall, gable, roof, and the backdrop beyond the street."""

from __future__ import annotations

import numpy as np

from segpp_deploy.data.scenes.classes import SceneClass
from segpp_deploy.data.scenes.facades import paint_wall
from segpp_deploy.data.scenes.layout import BackdropWall, Block
from segpp_deploy.data.scenes.street import Street
from segpp_deploy.data.scenes.view import TOWARDS_CAMERA, View

_ROOF_RUN_M, _ROOF_RISE_M = 4.5, 3.2


def paint_block(view: View, street: Street, block: Block) -> None:
    """Paint one building of the street."""
    building, front = block.building, block.lateral_m
    back, top = front + block.sign * block.depth_m, building.height_m
    inward = -float(block.sign)
    if building.pitched:
        _paint_roof(view, street, block)
    if block.start_m > 3:
        near = [
            (front, 0, block.start_m),
            (front, top, block.start_m),
            (back, top, block.start_m),
            (back, 0, block.start_m),
        ]
        end_wall = near if block.sign > 0 else [near[3], near[2], near[1], near[0]]
        paint_wall(view, building, street.points(*end_wall), TOWARDS_CAMERA)
    corners = [
        (front, 0, block.start_m),
        (front, top, block.start_m),
        (front, top, block.end_m),
        (front, 0, block.end_m),
    ]
    if block.sign > 0:
        corners = [corners[3], corners[2], corners[1], corners[0]]
    paint_wall(view, building, street.points(*corners), (inward, 0.0, 0.0))


def _paint_roof(view: View, street: Street, block: Block) -> None:
    """The slope towards the street, if it can be seen, and the gable that faces the camera."""
    top, front = block.building.height_m, block.lateral_m
    ridge, back = front + block.sign * _ROOF_RUN_M, front + block.sign * 2 * _ROOF_RUN_M
    high = top + _ROOF_RISE_M
    inward = -block.sign
    normal = (inward * 0.58, 0.81, 0.0)
    slope = street.points(
        (front, top, block.start_m), (ridge, high, block.start_m), (ridge, high, block.end_m), (front, top, block.end_m)
    )
    towards = np.array([0.0, view.camera.height_m, 0.0]) - slope.mean(axis=0)
    depth = (block.start_m + block.end_m) / 2
    gable = street.points((front, top, block.start_m), (ridge, high, block.start_m), (back, top, block.start_m))
    wall = view.light.shade(block.building.wall, TOWARDS_CAMERA)
    view.fill(gable, wall, SceneClass.BUILDING, block.start_m)
    if float(np.dot(normal, towards)) > 0:
        view.fill(slope, view.light.shade(block.building.roof, normal), SceneClass.BUILDING, depth)


def paint_backdrop(view: View, wall: BackdropWall) -> None:
    """Paint a distant building, face on."""
    top, z = wall.building.height_m * 1.2, wall.z_m
    corners = np.array(
        [(wall.left_m, 0, z), (wall.left_m, top, z), (wall.right_m, top, z), (wall.right_m, 0, z)], np.float64
    )
    paint_wall(view, wall.building, corners, TOWARDS_CAMERA)
