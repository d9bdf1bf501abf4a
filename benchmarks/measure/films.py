"""Films with labels for every frame: CamVid's validation split, and a camera that turns before street scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segpp_deploy.config import Size
from segpp_deploy.data.datasets.base import Dataset
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.label_maps import LabelMap
from segpp_deploy.data.scenes import HELD_OUT_SEED, SCENE_CLASSES, generate_scene
from segpp_deploy.model.weights.source import CardSource, CheckpointSource, ModelSource
from tests.support import camvid_data
from tests.support.exporting import SCENE_SIZE

CAMVID_STEP = 2
SCENES, SCENE_FRAMES, PANNED_PX = 5, 16, 3


@dataclass(frozen=True)
class Frame:
    """A frame, and its labels [H, W]."""

    image: ByteImage
    labels: LabelMap


Film = Iterator[Frame]


@dataclass(frozen=True)
class Films:
    """Films of one kind, and the model that was trained for it.

    Args:
        source: of the model.
        size: of the frames.
        num_classes: of the labels.
        make: makes the films; each is gone through once.
    """

    source: ModelSource
    size: Size
    num_classes: int
    make: Callable[[], Iterator[Film]]


def camvid_films(root: Path = camvid_data.FRAMES) -> Iterator[Film]:
    """Yield the validation split as what it is: one film, of which every second of 30 frames in a second is there."""
    dataset: Dataset[LabelMap] = parse_dataset(f"camvid:{root}")
    numbers = [int(sample.name.rpartition("_")[2]) for sample in dataset.samples]
    assert set(np.diff(numbers)) == {CAMVID_STEP}, "frames are missing"
    yield (_frame(dataset, index) for index in range(len(dataset)))


def panned_films() -> Iterator[Film]:
    """Yield films in which the camera turns and nothing else moves."""
    height, width = SCENE_SIZE.hw
    for seed in range(HELD_OUT_SEED, HELD_OUT_SEED + SCENES):
        scene = generate_scene(seed, Size(height, width + PANNED_PX * (SCENE_FRAMES - 1)))
        views = [slice(PANNED_PX * step, PANNED_PX * step + width) for step in range(SCENE_FRAMES)]
        yield (Frame(np.ascontiguousarray(scene.image[:, view]), scene.labels[:, view]) for view in views)


def _frame(dataset: Dataset[LabelMap], index: int) -> Frame:
    assert dataset.classes is not None
    loaded = dataset.samples[index].load(len(dataset.classes))
    assert loaded.target is not None
    return Frame(loaded.image, loaded.target)


FILMS: Mapping[str, Films] = {
    "camvid": Films(CheckpointSource(camvid_data.WEIGHTS), Size(360, 480), 11, camvid_films),
    "panned scenes": Films(CardSource("segformer_b0_scenes"), SCENE_SIZE, len(SCENE_CLASSES), panned_films),
}
