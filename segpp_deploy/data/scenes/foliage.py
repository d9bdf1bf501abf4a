"""Trees, bushes and hedges: noise-edged crowns over a trunk."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.scenes.canvas import Colour, Window
from segpp_deploy.data.scenes.classes import SceneClass
from segpp_deploy.data.scenes.lighting import Light
from segpp_deploy.data.scenes.noise import Field, crop_tile, fractal_tile
from segpp_deploy.data.scenes.view import TOWARDS_CAMERA, View

_SUNLIT_LEAF_TINT = (1.15, 1.1, 0.8)
_MAX_CROWN_PX = 224  # larger crowns are drawn at this size and enlarged


@dataclass(frozen=True)
class Tree:
    """A tree or, with no trunk, a bush."""

    seed: int
    x_m: float
    z_m: float
    trunk_m: float
    crown_height_m: float
    crown_width_m: float
    conical: bool
    leaf: Colour


def sample_tree(rng: np.random.Generator, x_m: float, z_m: float, bush: bool, leaf: Colour) -> Tree:
    """Draw a tree of the given leaf colour."""
    conical = bool(not bush and rng.random() < 0.2)
    height = rng.uniform(0.9, 2.2) if bush else rng.uniform(3.2, 8.0)
    tint = rng.uniform(0.8, 1.25)
    return Tree(
        seed=int(rng.integers(1 << 31)),
        x_m=x_m,
        z_m=z_m,
        trunk_m=0.0 if bush else float(rng.uniform(1.7, 3.2)),
        crown_height_m=float(height),
        crown_width_m=float(
            height * (rng.uniform(1.1, 1.9) if bush else rng.uniform(0.4, 0.6) if conical else rng.uniform(0.75, 1.2))
        ),
        conical=conical,
        leaf=(leaf[0] * tint, leaf[1] * tint, leaf[2] * tint),
    )


def sample_leaf_colour(rng: np.random.Generator) -> Colour:
    """Draw the season's colour: mostly green, sometimes autumn."""
    colours: tuple[Colour, ...] = (
        (66, 96, 42),
        (82, 108, 50),
        (52, 82, 46),
        (96, 112, 62),
        (158, 118, 44),
        (140, 82, 44),
    )
    return colours[int(rng.choice(6, p=(0.25, 0.22, 0.2, 0.15, 0.1, 0.08)))]


def paint_tree(view: View, tree: Tree) -> None:
    """Paint trunk and crown."""
    scale = view.camera.pixels_per_metre(tree.z_m)
    foot = view.camera.project(np.array([[tree.x_m, 0.0, tree.z_m]]))[0]
    crown_low = foot[1] - tree.trunk_m * scale
    if tree.trunk_m > 0:
        half = 0.028 * (tree.crown_height_m + 2) * scale
        top = crown_low - 0.4 * tree.crown_height_m * scale
        trunk = np.array([[-half * 1.3, foot[1]], [-half * 0.6, top], [half * 0.6, top], [half * 1.3, foot[1]]])
        trunk[:, 0] += foot[0]
        view.canvas.fill(trunk, view.light.shade((86, 70, 56), TOWARDS_CAMERA), SceneClass.VEGETATION, tree.z_m)
        # The half that faces away from the sun, or a strip of it.
        half_trunk = trunk.copy()
        half_trunk[2:, 0] = foot[0]
        shaded = half_trunk if view.light.to_sun[0] > 0 else 0.6 * trunk + 0.4 * half_trunk
        view.canvas.image_detail(shaded, view.light.shade((58, 47, 40), TOWARDS_CAMERA))
    size = np.array([tree.crown_width_m, tree.crown_height_m]) * scale
    low_edge = crown_low + 0.12 * size[1] * (tree.trunk_m > 0) + 0.08 * size[1]
    box = np.array([[foot[0] - size[0] / 2, low_edge - size[1]], [foot[0] + size[0] / 2, low_edge]])
    window = view.canvas.window_of(box, margin_px=0)
    if window is not None and size.min() >= 2:
        _paint_crown(view, tree, box, window)


def _paint_crown(view: View, tree: Tree, box: NDArray[np.float64], window: Window) -> None:
    rng = np.random.default_rng(tree.seed)
    wide, tall = box[1] - box[0]
    shrink = min(1.0, _MAX_CROWN_PX / max(wide, tall))
    shape = max(4, int(tall * shrink)), max(4, int(wide * shrink))
    field, brightness = _crown_fields(tree, view.light, shape, rng)
    # Sample the part of the crown that the window shows, at the window's resolution.
    rows = (np.arange(window[0].start, window[0].stop) + 0.5 - box[0, 1]) / tall * shape[0] - 0.5
    columns = (np.arange(window[1].start, window[1].stop) + 0.5 - box[0, 0]) / wide * shape[1] - 0.5
    map_x, map_y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    edge = cv2.remap(field, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=-1.0)
    level = np.asarray(cv2.remap(brightness, map_x, map_y, cv2.INTER_LINEAR), np.float32)
    if shrink < 1:
        level = level + np.float32(0.09) * crop_tile(fractal_tile(0.5), level.shape[0], level.shape[1], rng)
    sharpness = min(wide, tall) * 0.35
    coverage = np.clip(np.asarray(edge) * sharpness * 255 + 128, 0, 255).astype(np.uint8)
    leaf, ambient, sun, translucent = (
        np.array(colour, np.float32) for colour in (tree.leaf, view.light.ambient, view.light.sun, _SUNLIT_LEAF_TINT)
    )
    shaded, lit = leaf * ambient, leaf * sun * translucent
    texture = shaded * np.clip(0.75 + 0.5 * level, 0.15, 2)[..., None] + lit * np.clip(level + 0.3, 0, 1.5)[..., None]
    view.canvas.paste(window, texture, coverage, SceneClass.VEGETATION, tree.z_m)


def _crown_fields(tree: Tree, light: Light, shape: tuple[int, int], rng: np.random.Generator) -> tuple[Field, Field]:
    """Inside-ness (positive inside) and brightness of a crown, float32 [h, w] each."""
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    leaves = crop_tile(fractal_tile(0.75), *shape, rng)
    clumps = crop_tile(fractal_tile(1.5), *shape, rng)
    if tree.conical:
        field = (y + 1) / 2 * 0.9 - np.abs(x) - 0.3 * np.clip(y - 0.8, 0, 1) * 5
        side = x + 0 * y
        body = field
    else:
        field = np.full(shape, -1.0, np.float32)
        side = np.zeros(shape, np.float32)
        for _ in range(6):
            cx, cy = rng.uniform(-0.45, 0.45), rng.uniform(-0.45, 0.4)
            radius = rng.uniform(0.38, 0.58)
            blob = 1 - ((x - cx) ** 2 + (y - cy) ** 2) / radius**2
            lit = (x - cx) * light.to_sun[0] - (y - cy) * 0.8
            side = np.where(blob > field, lit / radius, side)
            field = np.maximum(field, blob)
        body = field
    inside = np.minimum(body * 0.6, 0.35) + 0.09 * leaves + 0.1 * clumps
    border = np.minimum(np.minimum(x + 1, 1 - x) * 8, np.minimum(y + 1, 1 - y) * 8)
    inside = np.minimum(inside, border - 0.05)
    brightness = 0.28 * leaves + 0.15 * clumps + 0.38 * side
    return inside.astype(np.float32), brightness.astype(np.float32)
