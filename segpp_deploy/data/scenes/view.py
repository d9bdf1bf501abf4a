"""What every painter needs: the canvas, the camera and the light."""

from __future__ import annotations

from dataclasses import dataclass

from segpp_deploy.data.scenes.camera import Camera, Points
from segpp_deploy.data.scenes.canvas import Canvas, Colour
from segpp_deploy.data.scenes.classes import SceneClass
from segpp_deploy.data.scenes.lighting import Light

TOWARDS_CAMERA = (0.0, 0.0, -1.0)
"""The normal of anything drawn face on."""


@dataclass(frozen=True)
class View:
    """A picture being painted through a camera under a light."""

    canvas: Canvas
    camera: Camera
    light: Light

    def fill(self, points_m: Points, colour: Colour, label: SceneClass, depth_m: float) -> None:
        """Paint a polygon given in metres ([N, 3]) with a colour that is already lit."""
        self.canvas.fill(self.camera.project(points_m), colour, label, depth_m)

    def detail(self, points_m: Points, colour: Colour) -> None:
        """Paint a polygon in metres on something that is already labelled."""
        self.canvas.image_detail(self.camera.project(points_m), colour)
