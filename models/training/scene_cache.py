"""Training scenes, rendered once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from render_cache import open_arrays

from segpp_deploy.config import Size
from segpp_deploy.data.scenes import DEFAULT_SCENE_SIZE, generate_scene


@dataclass(frozen=True)
class SceneCache:
    """Scenes of the seeds 0 .. count-1: images uint8 [N, H, W, 3], labels uint8 [N, H, W], read from disk."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.images)


def open_cache(folder: Path, count: int, workers: int, size: Size = DEFAULT_SCENE_SIZE) -> SceneCache:
    """Return the cache in `folder`, rendering what it lacks."""
    like = {"images": np.zeros((*size.hw, 3), np.uint8), "labels": np.zeros(size.hw, np.uint8)}
    return SceneCache(**open_arrays(folder, like, count, workers, partial(_draw, size)))


def _draw(size: Size, seed: int) -> dict[str, NDArray[np.uint8]]:
    scene = generate_scene(seed, size)
    return {"images": scene.image, "labels": scene.labels}
