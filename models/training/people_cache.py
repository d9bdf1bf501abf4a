"""Training pictures of people, rendered once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from render_cache import open_arrays

from segpp_deploy.config import Size
from segpp_deploy.data.geometry.crop import Box
from segpp_deploy.data.scenes import DEFAULT_PEOPLE_SIZE, MOST_PEOPLE, generate_people

NUM_KEYPOINTS = 17


@dataclass(frozen=True)
class CachedPerson:
    """A person in its picture: image uint8 [H, W, 3], points float32 [17, 2] in its pixels, is_labelled bool [17]."""

    image: NDArray[np.uint8]
    box: Box
    points: NDArray[np.float32]
    is_labelled: NDArray[np.bool_]


class PeopleCache:
    """The people in the pictures of the seeds 0 .. count-1, read from disk."""

    def __init__(self, folder: Path, count: int, workers: int, size: Size = DEFAULT_PEOPLE_SIZE) -> None:
        like: dict[str, NDArray[Any]] = {
            "images": np.zeros((*size.hw, 3), np.uint8),
            "points": np.zeros((MOST_PEOPLE, NUM_KEYPOINTS, 2), np.float32),
            "labelled": np.zeros((MOST_PEOPLE, NUM_KEYPOINTS), np.uint8),
            "boxes": np.zeros((MOST_PEOPLE, 4), np.float32),
        }
        self._arrays = open_arrays(folder, like, count, workers, partial(_draw, like, size))
        self._places = np.argwhere(self._arrays["labelled"].any(axis=2))

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> CachedPerson:
        picture, person = self._places[index]
        points, labelled, box = (self._arrays[name][picture, person] for name in ("points", "labelled", "boxes"))
        return CachedPerson(self._arrays["images"][picture], Box(*box.tolist()), np.array(points), labelled > 0)


def _draw(like: dict[str, NDArray[Any]], size: Size, seed: int) -> dict[str, NDArray[Any]]:
    picture = generate_people(seed, size)
    rows = {name: entry.copy() for name, entry in like.items()}
    rows["images"] = picture.image
    for slot, person in enumerate(picture.people):
        rows["points"][slot], rows["labelled"][slot], rows["boxes"][slot] = person.points, person.is_inside, person.box
    return rows
