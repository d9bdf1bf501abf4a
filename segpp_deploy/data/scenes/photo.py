"""From the ideal picture to a photograph: haze, exposure, lens, sensor noise, compression. Labels are not touched."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.scenes.canvas import Canvas
from segpp_deploy.data.scenes.lighting import Light
from segpp_deploy.data.scenes.noise import crop_tile, white_tile

_SKY_START_M = 5e5


def take_photo(canvas: Canvas, light: Light, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the photographed image, uint8 [H, W, 3]."""
    picture = _hazed(canvas, light)
    curves = _tone_curves(_auto_exposure(picture, light), rng)
    picture = _blurred(np.asarray(cv2.LUT(picture, curves), np.uint8), rng)
    picture = _noisy(picture, rng)
    return _compressed(picture, rng)


def _hazed(canvas: Canvas, light: Light) -> NDArray[np.uint8]:
    clear = np.exp(-light.haze_per_m * canvas.depth_m)
    clear[canvas.depth_m > _SKY_START_M] = 1.0  # the sky is painted with its haze
    haze = np.array(light.horizon, np.float32)
    picture = haze + (canvas.image.astype(np.float32) - haze) * clear[..., None]
    return _bytes(picture)


def _auto_exposure(picture: NDArray[np.uint8], light: Light) -> float:
    """The gain that brings the mean most of the way to middle grey; evenings stay darker."""
    target = 84.0 if light.lamps_on else 116.0
    mean = float(picture[::8, ::8].mean())
    return float(np.clip((target / max(mean, 1.0)) ** 0.8, 0.7, 2.2))


def _tone_curves(gain: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Exposure, white balance, contrast and gamma as one [256, 1, 3] table."""
    level = np.linspace(0, 1, 256)[:, None]
    exposure = gain * np.exp(rng.normal(0, 0.14))
    warmth = rng.normal(0, 0.05)
    balance = np.array([1 + warmth, 1.0, 1 - warmth]) * (1 + rng.normal(0, 0.015, 3))
    curve = np.clip(level * exposure * balance, 0, None)
    curve = curve / (1 + 0.25 * np.maximum(curve - 0.7, 0) ** 1.0)  # highlights roll off
    curve = 0.5 + (np.clip(curve, 0, 1.2) - 0.5) * rng.uniform(0.85, 1.18)
    curve = np.clip(curve, 0, 1) ** rng.uniform(0.85, 1.2)
    return _bytes(curve * 255)[:, None, :]


def _blurred(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    sigma = picture.shape[0] / 512 * (rng.uniform(0.25, 0.75) if rng.random() < 0.8 else rng.uniform(0.8, 1.5))
    if sigma < 0.3:
        return picture
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def _noisy(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Read noise plus noise that grows with the signal, and a darker rim."""
    height, width = picture.shape[:2]
    strength = np.float32(rng.uniform(0.8, 4.0) if rng.random() < 0.8 else rng.uniform(4.0, 9.0))
    noise = crop_tile(white_tile(), height, width, rng)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    rim = 1 - np.float32(rng.uniform(0, 0.14)) * (x * x + y * y)
    signal = picture.astype(np.float32) * rim[..., None]
    signal += noise * (strength * (np.float32(0.6) + signal * np.float32(0.8 / 255)))
    return _bytes(signal)


def _compressed(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    quality = int(rng.integers(55, 97))
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        return picture
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(decoded, np.uint8)[..., ::-1])


def _bytes(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(values, 0, 255), dtype=np.uint8)
