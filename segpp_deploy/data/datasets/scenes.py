"""`scenes[:N]`: procedural street scenes, drawn when asked, with seeds that no training run uses."""

from __future__ import annotations

from functools import lru_cache

from segpp_deploy.data.datasets.base import DatasetSpec, Sample, SegmentationDataset
from segpp_deploy.data.scenes import HELD_OUT_SEED, SCENE_CLASSES, Scene, generate_scene
from segpp_deploy.errors import SegppError

DEFAULT_COUNT = 50


def open_scenes(spec: DatasetSpec) -> SegmentationDataset:
    """Make N held-out scenes of the default size, `DEFAULT_COUNT` where no N is given.

    Raises:
        SegppError: N is not a positive whole number, or a split is named.
    """
    count = int(spec.path) if spec.path.isdecimal() else 0 if spec.path else DEFAULT_COUNT
    if count < 1 or spec.split is not None:
        text = spec.path + (f"#{spec.split}" if spec.split is not None else "")
        raise SegppError(
            f"'scenes:{text}' is not a number of scenes.",
            "scenes or scenes:N with N at least 1.",
            "--data scenes:50",
        )
    return SegmentationDataset(f"scenes:{count}", tuple(_sample(i) for i in range(count)), SCENE_CLASSES)


def _sample(index: int) -> Sample:
    seed = HELD_OUT_SEED + index
    return Sample(
        name=f"scene_{index:04d}",
        label_source=f"scene {index} (seed {seed})",
        load_image=lambda: _draw(seed).image,
        load_stored_labels=lambda: _draw(seed).labels,
    )


@lru_cache(maxsize=1)  # picture and labels of a sample are asked for one after the other
def _draw(seed: int) -> Scene:
    return generate_scene(seed)
