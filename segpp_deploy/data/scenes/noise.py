"""Periodic noise textures, made once per process; scenes look into them at seeded offsets."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

TILE_PX = 1024  # a power of two, so that wrapping is a mask
_TILE_SEED = 20_240

Field = NDArray[np.float32]


@cache
def fractal_tile(roughness: float) -> Field:
    """Return a periodic [1024, 1024] field of mean 0 and deviation 1 with spectrum 1 / f^`roughness`.

    About 1 looks like grain and leaves, about 2 like clouds.
    """
    white = np.random.default_rng(_TILE_SEED).standard_normal((TILE_PX, TILE_PX))
    frequency = np.hypot(np.fft.fftfreq(TILE_PX)[:, None], np.fft.rfftfreq(TILE_PX)[None, :])
    frequency[0, 0] = np.inf  # no constant part
    field = np.fft.irfft2(np.fft.rfft2(white) / frequency**roughness, s=(TILE_PX, TILE_PX))
    return np.ascontiguousarray(field / field.std(), dtype=np.float32)


@cache
def white_tile() -> Field:
    """Return a [1024, 1024, 3] tile of unit normal noise."""
    return np.random.default_rng(_TILE_SEED + 1).standard_normal((TILE_PX, TILE_PX, 3), dtype=np.float32)


def sample_tile(tile: Field, x: Field, y: Field) -> Field:
    """Look `tile` up, wrapped and bilinear, at the pixel coordinates `x`, `y` (both [H, W])."""
    return np.asarray(cv2.remap(tile, _wrapped(x), _wrapped(y), cv2.INTER_LINEAR), dtype=np.float32)


def _wrapped(coordinate: Field) -> Field:
    period = np.float32(TILE_PX - 1)
    turns = np.floor(coordinate * (1 / period))
    # Rounding can leave a coordinate a hair outside the tile.
    return np.asarray(np.clip(coordinate - turns * period, 0, period), dtype=np.float32)


def crop_tile(tile: Field, height: int, width: int, rng: np.random.Generator) -> Field:
    """Cut [height, width, ...] out of `tile` at a random place, wrapping round its edges."""
    top, left = (int(value) for value in rng.integers(0, TILE_PX, 2))
    if top + height <= TILE_PX and left + width <= TILE_PX:
        return tile[top : top + height, left : left + width]
    rows = (top + np.arange(height)) % TILE_PX
    columns = (left + np.arange(width)) % TILE_PX
    return np.asarray(tile[rows][:, columns], dtype=np.float32)
