"""The sky: a gradient, clouds in perspective, the sun's glow."""

from __future__ import annotations

import numpy as np

from segpp_deploy.data.scenes.lighting import Light, Weather
from segpp_deploy.data.scenes.noise import Field, fractal_tile, sample_tile
from segpp_deploy.data.scenes.view import View


def paint_sky(view: View, rng: np.random.Generator) -> None:
    """Paint the rows above the horizon."""
    height, width = view.camera.size.hw
    rows = min(height, max(1, int(np.ceil(view.camera.horizon_v)) + 1))
    elevation = np.maximum(view.camera.horizon_v - np.arange(rows, dtype=np.float32), 0.5) / view.camera.focal_px
    columns = (np.arange(width, dtype=np.float32) - view.camera.centre_u) / view.camera.focal_px
    blend = np.clip(elevation / 0.55, 0, 1)[:, None, None] ** 0.65
    horizon, zenith = (np.array(colour, np.float32) for colour in (view.light.horizon, view.light.zenith))
    sky = np.repeat(horizon + (zenith - horizon) * blend, width, axis=1)
    if view.light.weather is not Weather.FOG:
        sky += _glow(view.light, elevation, columns)
        alpha = _clouds(view.light, elevation, columns, rng)[..., None]
        grey = rng.uniform(0.85, 1.05)
        tint = np.minimum(horizon * 0.35 + 170 * np.array(view.light.ambient, np.float32) + 45, 250) * grey
        if view.light.weather is Weather.OVERCAST:
            tint = zenith * 0.8
        sky += (tint - sky) * alpha
    view.canvas.image[:rows] = np.clip(sky, 0, 255).astype(np.uint8)


def _clouds(light: Light, elevation: Field, columns: Field, rng: np.random.Generator) -> Field:
    """Cloud opacity [rows, W]: a flat layer of noise seen from below."""
    scale = rng.uniform(40, 90)
    offset = rng.uniform(0, 1024, 2)
    distance = 1.0 / (elevation + 0.12)
    x = (columns[None, :] * distance[:, None] * scale + offset[0]).astype(np.float32)
    y = np.broadcast_to((distance * scale * 1.6 + offset[1])[:, None], x.shape).astype(np.float32)
    field = sample_tile(fractal_tile(1.7), x, y)
    threshold = 1.2 - 2.0 * light.cloud_cover
    softness = 0.5 if light.weather is Weather.OVERCAST else 1.1
    return np.asarray(np.clip((field - threshold) * softness, 0, 0.95), dtype=np.float32)


def _glow(light: Light, elevation: Field, columns: Field) -> Field:
    """The sun's halo, [rows, W, 3]; nothing when the sun is behind the camera."""
    ahead = max(light.to_sun[2], 0.05)
    sun_x, sun_y = light.to_sun[0] / ahead, light.to_sun[1] / ahead
    squared = (elevation - sun_y)[:, None] ** 2 + (columns - sun_x)[None, :] ** 2
    halo = np.exp(-squared / 0.18) * (90.0 if light.to_sun[2] > 0.05 else 0.0)
    return np.asarray(halo[..., None] * np.array(light.sun, np.float32), dtype=np.float32)
