"""Buildings: a facade's picture from its plan, and its place in the street."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.scenes.camera import Points
from segpp_deploy.data.scenes.canvas import Canvas, Colour, Window, polygon_coverage
from segpp_deploy.data.scenes.classes import SceneClass
from segpp_deploy.data.scenes.lighting import Light, Vector
from segpp_deploy.data.scenes.noise import Field, crop_tile, fractal_tile
from segpp_deploy.data.scenes.view import View

_MAX_TEXTURE_PX_PER_M = 30.0
_MAX_TEXTURE_PX = 448


class FacadeStyle(Enum):
    """How a facade is built."""

    PLASTER = auto()
    BRICK = auto()
    CONCRETE = auto()
    GLASS = auto()


@dataclass(frozen=True)
class Building:
    """A block between two distances along one side of the street (or across the view, for the backdrop)."""

    seed: int
    style: FacadeStyle
    height_m: float
    storey_m: float
    bay_m: float
    wall: Colour
    roof: Colour
    pitched: bool
    shop: bool


def sample_building(rng: np.random.Generator) -> Building:
    """Draw a building; walls range from near asphalt to near sky."""
    style = tuple(FacadeStyle)[int(rng.choice(4, p=(0.42, 0.25, 0.2, 0.13)))]
    storeys = int(rng.integers(2, 5)) if rng.random() < 0.6 else int(rng.integers(4, 9))
    storey = float(rng.uniform(2.9, 3.7))
    grey = rng.uniform(60, 215)
    walls: dict[FacadeStyle, Colour] = {
        FacadeStyle.PLASTER: _plaster(rng),
        FacadeStyle.BRICK: (rng.uniform(120, 165), rng.uniform(72, 100), rng.uniform(55, 85)),
        FacadeStyle.CONCRETE: (grey, grey * 0.99, grey * 0.96),
        FacadeStyle.GLASS: (grey * 0.55, grey * 0.62, grey * 0.7),
    }
    return Building(
        seed=int(rng.integers(1 << 31)),
        style=style,
        height_m=storeys * storey + 0.8,
        storey_m=storey,
        bay_m=float(rng.uniform(1.9, 3.4)),
        wall=walls[style],
        roof=(rng.uniform(80, 140), rng.uniform(60, 80), rng.uniform(50, 75)),
        pitched=bool(style in (FacadeStyle.PLASTER, FacadeStyle.BRICK) and rng.random() < 0.6),
        shop=bool(rng.random() < 0.4),
    )


def _plaster(rng: np.random.Generator) -> Colour:
    level = rng.uniform(110, 230)
    hues: tuple[Colour, ...] = (
        (1.0, 0.97, 0.9),
        (1.0, 0.88, 0.66),
        (0.97, 0.78, 0.68),
        (0.82, 0.92, 0.84),
        (0.84, 0.91, 1.0),
        (1.0, 1.0, 1.0),
    )
    red, green, blue = hues[int(rng.integers(len(hues)))]
    return red * level, green * level, blue * level


def paint_wall(view: View, building: Building, corners: Points, normal: Vector) -> None:
    """Paint an upright wall.

    Args:
        view: where and how.
        building: what the wall looks like.
        corners: [4, 3] metres: bottom left, top left, top right, bottom right as seen.
        normal: the wall's outward normal.
    """
    pixels = view.camera.project(corners)
    window = view.canvas.window_of(pixels)
    if window is None:
        return
    nearest = float(np.clip(corners[:, 2].min(), 6.0, None))
    scale = min(view.camera.pixels_per_metre(nearest) * 1.1, _MAX_TEXTURE_PX_PER_M)
    width_m = float(np.linalg.norm(corners[3] - corners[0]))
    texture = _facade_picture(building, view.light, width_m, scale, normal)
    tall, wide = texture.shape[:2]
    corner = np.array([window[1].start, window[0].start], np.float64)
    local = (pixels - corner).astype(np.float32)
    source = np.array([[0, tall], [0, 0], [wide, 0], [wide, tall]], np.float32)
    warp = cv2.getPerspectiveTransform(source, local)
    shape = view.canvas.labels[window].shape
    warped = cv2.warpPerspective(
        texture, warp, (shape[1], shape[0]), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    coverage = polygon_coverage(pixels - corner, shape)
    depth = float(corners[:, 2].mean())
    view.canvas.paste(window, np.asarray(warped, np.float32), coverage, SceneClass.BUILDING, depth)
    _slope_depth(view.canvas, window, coverage, corners, local)


def _slope_depth(
    canvas: Canvas,
    window: Window,
    coverage: NDArray[np.uint8],
    corners: Points,
    local: NDArray[np.float32],
) -> None:
    """Give each column of the wall its own distance (1 / z is linear in the column)."""
    left, right = float(local[0, 0]), float(local[3, 0])
    if abs(right - left) < 1:
        return
    share = np.clip((np.arange(coverage.shape[1]) + 0.5 - left) / (right - left), 0, 1)
    near, far = 1 / max(corners[0, 2], 1.0), 1 / max(corners[3, 2], 1.0)
    depth = np.broadcast_to(1 / (near + (far - near) * share), coverage.shape)
    mask = coverage >= 128
    canvas.depth_m[window][mask] = depth[mask]


def _facade_picture(
    building: Building, light: Light, width_m: float, scale: float, normal: Vector
) -> NDArray[np.uint8]:
    """Draw a facade face on, lit: uint8 [h, w, 3]; windows keep their places at every scale."""
    rng = np.random.default_rng(building.seed)
    tall = int(np.clip(building.height_m * scale, 8, _MAX_TEXTURE_PX))
    wide = int(np.clip(width_m * scale, 4, _MAX_TEXTURE_PX))
    above = (building.height_m * (1 - (np.arange(tall) + 0.5) / tall)).astype(np.float32)
    along = (width_m * (np.arange(wide) + 0.5) / wide).astype(np.float32)
    bays = max(1, round(width_m / building.bay_m))
    bay = along / (width_m / bays)
    storey = above / building.storey_m
    wall = np.empty((tall, wide, 3), np.float32)
    wall[:] = light.shade(building.wall, normal)
    _weather_wall(wall, building, above, along, rng)
    glass, frame = _window_masks(building, storey, bay, rng)
    panes = _pane_colours(building, light, storey, bay, rng)
    trim = np.array(light.shade(_trim_colour(building, rng), normal), np.float32)
    np.copyto(wall, trim, where=frame[..., None])
    np.copyto(wall, panes, where=glass[..., None])
    if building.shop:
        _paint_shop(wall, light, above, along, normal, rng)
    if building.style is not FacadeStyle.GLASS:
        cornice = above > building.height_m - 0.45
        wall[cornice] = wall[cornice] * 0.55 + trim * 0.45
    return np.clip(wall, 0, 255).astype(np.uint8)


def _weather_wall(wall: Field, building: Building, above: Field, along: Field, rng: np.random.Generator) -> None:
    noise = crop_tile(fractal_tile(1.0), wall.shape[0], wall.shape[1], rng)
    level = np.float32(0.05) * noise + (1 - 0.12 * np.exp(-above / 0.9)).astype(np.float32)[:, None]
    if building.style is FacadeStyle.BRICK and wall.shape[0] / building.height_m > 14:
        course = np.floor(above / 0.12)
        joint = (np.mod(above / 0.12, 1) < 0.18)[:, None]
        joint = joint | (np.mod(along[None, :] / 0.4 + 0.5 * (course[:, None] % 2), 1) < 0.07)
        level = level + np.float32(0.18) * joint
    if building.style is FacadeStyle.CONCRETE:
        level = level - np.float32(0.12) * (np.mod(above, building.storey_m) < 0.08)[:, None]
    wall *= level[..., None]


def _window_masks(
    building: Building, storey: Field, bay: Field, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Glass and frame masks, [h, w] each."""
    x, y = np.abs(np.mod(bay, 1) - 0.5), np.abs(np.mod(storey, 1) - 0.54)
    half_w, half_h = float(rng.uniform(0.2, 0.34)), float(rng.uniform(0.22, 0.34))
    if building.style is FacadeStyle.GLASS:
        half_w, half_h = 0.47, 0.46
    elif building.style is FacadeStyle.CONCRETE and rng.random() < 0.5:
        half_w, half_h = 0.5, float(rng.uniform(0.18, 0.26))
    floors = (storey > (1.0 if building.shop else 0.0)) & (storey < building.height_m / building.storey_m - 0.3)
    inside_w, inside_h = x <= half_w, (y < half_h) & floors
    glass = inside_h[:, None] & inside_w[None, :]
    border = ((y < half_h + 0.045) & floors)[:, None] & (x <= half_w + 0.045)[None, :]
    cross = (np.abs(x) < 0.018)[None, :] & inside_h[:, None]
    return np.asarray(glass & ~cross), np.asarray((border & ~glass) | cross)


def _pane_colours(building: Building, light: Light, storey: Field, bay: Field, rng: np.random.Generator) -> Field:
    """Colour of the glass, [h, w, 3]: reflected sky, dark rooms, curtains, lamps at dusk."""
    rows, columns = int(storey.max()) + 2, int(bay.max()) + 2
    mirror = rng.uniform(0.45, 0.9) if building.style is FacadeStyle.GLASS else rng.uniform(0.1, 0.4)
    dark = np.array(light.shade((48, 52, 58), (0.0, 0.3, -0.9)), np.float32)
    sky = np.array(light.horizon, np.float32) * 0.6 + np.array(light.zenith, np.float32) * 0.4
    reflected = rng.uniform(0.3, 1.0, (rows, columns, 1)).astype(np.float32) * np.float32(mirror)
    cells = dark + (sky - dark) * reflected
    curtained = rng.random((rows, columns)) < (0.05 if building.style is FacadeStyle.GLASS else 0.25)
    cells[curtained] = cells[curtained] * 0.5 + 0.5 * np.array(light.shade((190, 180, 165), (0, 0.2, -1)), np.float32)
    lit = rng.random((rows, columns)) < (0.4 if light.lamps_on else 0.03)
    warm = np.array((255, 214, 140), np.float32)
    cells[lit] = warm * rng.uniform(0.6, 1.0, (int(lit.sum()), 1)).astype(np.float32)
    return np.asarray(cells[storey.astype(int)[:, None], bay.astype(int)[None, :]], dtype=np.float32)


def _trim_colour(building: Building, rng: np.random.Generator) -> Colour:
    level = float(rng.choice((0.6, 0.8, 1.2, 1.35)))
    red, green, blue = building.wall
    return red * level, green * level, blue * level


def _paint_shop(
    wall: Field, light: Light, above: Field, along: Field, normal: Vector, rng: np.random.Generator
) -> None:
    """A ground floor of shop windows under a coloured band."""
    band_colour = (rng.uniform(30, 220), rng.uniform(30, 190), rng.uniform(30, 190))
    glass_rows = (above > 0.5) & (above < 2.5)
    glass = glass_rows[:, None] & (np.mod(along, 2.6) > 0.25)[None, :]
    glow = (235.0, 215.0, 170.0) if light.lamps_on else light.shade((92, 92, 90), normal)
    noise = crop_tile(fractal_tile(1.4), wall.shape[0], wall.shape[1], rng)[..., None]
    np.copyto(wall, np.array(glow, np.float32) + np.float32(22) * noise, where=glass[..., None])
    wall[(above > 2.55) & (above < 3.05)] = light.shade(band_colour, normal)
    wall[above <= 0.5] *= 0.7
