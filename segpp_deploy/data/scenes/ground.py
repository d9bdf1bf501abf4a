"""The ground: every pixel below the horizon is traced back to the street's plan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.scenes.camera import FAR_M
from segpp_deploy.data.scenes.canvas import Colour
from segpp_deploy.data.scenes.classes import SceneClass
from segpp_deploy.data.scenes.noise import Field, fractal_tile, sample_tile
from segpp_deploy.data.scenes.street import Frontage, Side, Street
from segpp_deploy.data.scenes.view import View

_KERB_M = 0.18
_GRAIN_PX_PER_M = 55.0

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class GroundLook:
    """Colours of the ground, 0 .. 255."""

    road: Colour
    pavement: Colour
    grass: Colour
    grain: float
    wetness: float
    slab_m: float


def sample_ground_look(rng: np.random.Generator) -> GroundLook:
    """Draw the ground's colours; road and pavement may come out nearly alike."""
    road = rng.uniform(62, 135)
    pavement = road * rng.uniform(0.9, 1.15) if rng.random() < 0.3 else rng.uniform(95, 185)
    warm = rng.uniform(-0.03, 0.09)
    green = rng.uniform(0.75, 1.2)
    return GroundLook(
        road=(road, road * rng.uniform(0.97, 1.01), road * rng.uniform(0.94, 1.06)),
        pavement=(pavement * (1 + warm), pavement, pavement * (1 - warm)),
        grass=(88 * green * rng.uniform(0.8, 1.3), 116 * green, 58 * green),
        grain=float(rng.uniform(3, 9)),
        wetness=float(rng.uniform(0.25, 0.6)) if rng.random() < 0.15 else 0.0,
        slab_m=float(rng.choice((0.0, 0.5, 0.8, 1.2))),
    )


def paint_ground(view: View, street: Street, look: GroundLook) -> None:
    """Paint image, labels and distance of every row below the horizon."""
    height, width = view.camera.size.hw
    top = min(height - 1, max(0, int(np.floor(view.camera.horizon_v)) + 1))
    z = np.minimum(view.camera.row_depth_m(np.arange(top, height, dtype=np.float32)), 10 * FAR_M)
    columns = np.arange(width, dtype=np.float32) + np.float32(0.5 - view.camera.centre_u)
    within = np.minimum(z, FAR_M)
    centre = street.start_x_m + street.heading * within + 0.5 * street.bend_per_m * within**2
    lateral = columns[None, :] * (z / view.camera.focal_px)[:, None] - centre[:, None].astype(np.float32)
    labels = _label_ground(street, lateral, z)
    colour = _colour_ground(street, look, labels, lateral, z)
    upward = np.array(view.light.shade((1.0, 1.0, 1.0), (0.0, 1.0, 0.0)), np.float32)
    colour *= upward
    if look.wetness:
        # A wet road mirrors the bright sky near the horizon.
        share = look.wetness * np.clip(z / 60, 0, 1)[:, None, None] * (labels == SceneClass.ROAD)[..., None]
        colour += (np.array(view.light.horizon, np.float32) * 0.9 - colour) * share
    view.canvas.image[top:] = np.clip(colour, 0, 255).astype(np.uint8)
    view.canvas.labels[top:] = labels
    view.canvas.depth_m[top:] = z[:, None]


def _label_ground(street: Street, lateral: Field, z: Field) -> NDArray[np.uint8]:
    labels = np.full(lateral.shape, SceneClass.PAVEMENT, np.uint8)
    for side in (street.left, street.right):
        outward = lateral * side.sign
        verge = (outward > street.half_width_m + _KERB_M) & (outward < street.half_width_m + side.verge_m)
        labels[verge] = SceneClass.VEGETATION
        if side.frontage is Frontage.PARK:
            labels[outward > abs(street.front_line_m(side))] = SceneClass.VEGETATION
    labels[z > FAR_M] = SceneClass.VEGETATION
    crossing = np.zeros(z.shape, bool)
    junction = street.junction
    if junction is not None:
        crossing = (z > junction.start_m) & (z < junction.end_m)
        near = (z > junction.start_m - 2.5) & (z < junction.end_m + 2.5)
        labels[near[:, None] & (labels == SceneClass.VEGETATION)] = SceneClass.PAVEMENT
        labels[crossing] = SceneClass.ROAD
    road = np.abs(lateral) < street.half_width_m
    labels[road & (z <= FAR_M)[:, None]] = SceneClass.ROAD
    labels[_paint_mask(street, lateral, z, crossing) & road] = SceneClass.LANE_MARKING
    return labels


def _paint_mask(street: Street, lateral: Field, z: Field, crossing: Mask) -> Mask:
    """Where paint lies, [rows, W]; far lines stop where they would be thinner than a pixel."""
    paint = street.paint
    half = paint.width_m / 2
    period = max(paint.centre_dash_m * 2.5, 1e-3)
    dashed = (np.mod(z, period) < paint.centre_dash_m) if paint.centre_dash_m else np.ones(z.shape, bool)
    lines = np.zeros(lateral.shape, bool)
    if paint.centre_double:
        lines |= np.abs(np.abs(lateral) - paint.width_m) < half
    else:
        lines |= (np.abs(lateral) < half) & dashed[:, None]
    if street.lanes > 2:
        quarter = street.half_width_m * 0.48
        lines |= (np.abs(np.abs(lateral) - quarter) < half) & (np.mod(z, 9.0) < 3.6)[:, None]
    if paint.edge_lines:
        lines |= np.abs(np.abs(lateral) - (street.half_width_m - 0.35)) < half
    lines &= ~crossing[:, None]
    if paint.zebra_start_m is not None:
        rows = (z > paint.zebra_start_m) & (z < paint.zebra_start_m + 3.2)
        bars = np.mod(lateral + 50, 1.1) < 0.55
        around = (z > paint.zebra_start_m - 1.5) & (z < paint.zebra_start_m + 4.5)
        lines = (lines & ~around[:, None]) | (bars & rows[:, None])
        stop = (z > paint.zebra_start_m - 1.4) & (z < paint.zebra_start_m - 0.95)
        lines |= stop[:, None] & (lateral > 0.1)
    return np.asarray(lines & (z < 70)[:, None])


def _colour_ground(street: Street, look: GroundLook, labels: NDArray[np.uint8], lateral: Field, z: Field) -> Field:
    table = np.zeros((len(SceneClass), 3), np.float32)
    table[SceneClass.ROAD] = look.road
    table[SceneClass.PAVEMENT] = look.pavement
    table[SceneClass.VEGETATION] = look.grass
    table[SceneClass.LANE_MARKING] = street.paint.colour
    colour = table[labels]
    far_fade = np.minimum(1.0, 14.0 / z).astype(np.float32)[:, None]
    row_z = np.broadcast_to(z[:, None], lateral.shape)
    grain = sample_tile(fractal_tile(0.6), lateral * _GRAIN_PX_PER_M, row_z * np.float32(_GRAIN_PX_PER_M))
    stains = sample_tile(fractal_tile(1.7), lateral * np.float32(24), row_z * np.float32(9) + np.float32(200))
    painted = labels == SceneClass.LANE_MARKING
    wear = np.clip(0.12 + 0.16 * stains + 0.12 * grain, 0, 0.85) * painted
    colour += (np.array(look.road, np.float32) - colour) * wear[..., None]
    texture = grain * far_fade * np.float32(look.grain) + stains * np.float32(5.0)
    grassy = (labels == SceneClass.VEGETATION) * np.float32(1.6) + np.float32(1.0)
    texture *= grassy
    texture -= _tyre_tracks(street, lateral) * (labels == SceneClass.ROAD)
    if look.slab_m:
        joints = (np.mod(lateral, look.slab_m) < 0.04) | (np.mod(z, look.slab_m) < 0.04)[:, None]
        texture -= 22 * far_fade * (joints & (labels == SceneClass.PAVEMENT))
    for side in (street.left, street.right):
        texture += _kerb(street, side, lateral) * (labels != SceneClass.ROAD)
    colour += texture[..., None]
    return colour


def _tyre_tracks(street: Street, lateral: Field) -> Field:
    lane = 2 * street.half_width_m / street.lanes
    phase = np.mod(lateral / lane, 1.0)
    return np.asarray(5.0 * (np.abs(np.abs(phase - 0.5) - 0.25) < 0.09), dtype=np.float32)


def _kerb(street: Street, side: Side, lateral: Field) -> Field:
    outward = lateral * side.sign - street.half_width_m
    stone = ((outward > 0) & (outward < _KERB_M)) * 26.0
    gutter = ((outward > _KERB_M) & (outward < _KERB_M + 0.05)) * -30.0
    return np.asarray(stone + gutter, dtype=np.float32)
