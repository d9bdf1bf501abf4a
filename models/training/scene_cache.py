"""Training scenes rendered once into two memory-mapped arrays, so that training reads crops instead of drawing."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
    """Return the cache in `folder`, rendering what it lacks.

    A scene is finished when its mark in `done.npy` is set, so that an interrupted rendering goes on where it stopped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shapes = {"images": (count, *size.hw, 3), "labels": (count, *size.hw), "done": (count,)}
    if not all((folder / f"{name}.npy").exists() for name in shapes):
        for name, shape in shapes.items():
            np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.uint8, shape).flush()
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in shapes}
    if len(arrays["done"]) < count or arrays["labels"].shape[1:] != size.hw:
        raise SystemExit(
            f"{folder} holds {arrays['labels'].shape} labels, too few or too small: choose another --cache"
        )
    missing = np.flatnonzero(arrays["done"][:count] == 0)
    if missing.size == 0:
        return SceneCache(arrays["images"][:count], arrays["labels"][:count])
    # Spawned, because a fork of a process with threads (torch, OpenCV) can inherit a lock that nobody will release.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for finished, _ in enumerate(pool.map(partial(_render, folder, size), missing.tolist(), chunksize=16)):
            if finished % 100 == 0:
                print(f"rendered {finished} of {len(missing)}", flush=True)
    return SceneCache(arrays["images"][:count], arrays["labels"][:count])


def _render(folder: Path, size: Size, seed: int) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import cv2

    cv2.setNumThreads(1)
    scene = generate_scene(seed, size)
    for name, value in (("images", scene.image), ("labels", scene.labels), ("done", 1)):
        np.load(folder / f"{name}.npy", mmap_mode="r+")[seed] = value
