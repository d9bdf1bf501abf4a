"""What training draws from, rendered once into memory-mapped arrays, so that training reads instead of painting."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_DONE = "done"


def open_arrays(
    folder: Path, like: Mapping[str, Array], count: int, workers: int, draw: Callable[[int], Mapping[str, Any]]
) -> dict[str, Array]:
    """Return the arrays of the seeds 0 .. count-1 in `folder`, each read from disk, rendering what it lacks.

    A seed is finished when its mark in `done.npy` is set, so that an interrupted rendering goes on where it stopped.

    Args:
        folder: where they are.
        like: what one seed gives, by name: an array of the shape and type.
        count: how many seeds.
        workers: processes that render.
        draw: gives the values of a seed by name; it is sent to the processes.

    Raises:
        SystemExit: the folder holds arrays of another shape, or fewer seeds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = {**like, _DONE: np.zeros((), np.uint8)}
    if not all((folder / f"{name}.npy").exists() for name in entries):
        for name, entry in entries.items():
            np.lib.format.open_memmap(folder / f"{name}.npy", "w+", entry.dtype, (count, *entry.shape)).flush()
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in entries}
    for name, entry in entries.items():
        if len(arrays[name]) < count or arrays[name].shape[1:] != entry.shape:
            raise SystemExit(
                f"{folder} holds {name} {arrays[name].shape}, too few or of another shape: choose another --cache"
            )
    missing = np.flatnonzero(arrays[_DONE][:count] == 0)
    if missing.size:
        # Spawned: a fork of a process with threads (torch, OpenCV) can inherit a lock that nobody will release.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for finished, _ in enumerate(pool.map(partial(_render, folder, draw), missing.tolist(), chunksize=16)):
                if finished % 100 == 0:
                    print(f"rendered {finished} of {len(missing)}", flush=True)
    return {name: arrays[name][:count] for name in like}


def _render(folder: Path, draw: Callable[[int], Mapping[str, Any]], seed: int) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import cv2

    cv2.setNumThreads(1)
    for name, value in {**draw(seed), _DONE: 1}.items():
        np.load(folder / f"{name}.npy", mmap_mode="r+")[seed] = value
