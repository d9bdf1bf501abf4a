"""`scenes[:N]`: procedural street scenes, drawn when asked, with seeds that no training run uses.

`scenes[:N]#train` are the first of the scenes that the shipped model was trained on, for calibration.
"""

from __future__ import annotations

from functools import lru_cache

from segpp_deploy import commands
from segpp_deploy.data.datasets.base import Dataset, DatasetSpec, Sample
from segpp_deploy.data.datasets.labels import LabelFile
from segpp_deploy.data.label_maps import LabelMap
from segpp_deploy.data.scenes import HELD_OUT_SEED, SCENE_CLASSES, Scene, generate_scene
from segpp_deploy.errors import SegppError

DEFAULT_COUNT = 50
TRAIN_SPLIT = "train"


def open_scenes(spec: DatasetSpec) -> Dataset[LabelMap]:
    """Make N scenes of the default size, `DEFAULT_COUNT` where no N is given; held-out ones without a split.

    Raises:
        SegppError: N is not a positive whole number, or another split than `train` is named.
    """
    count = int(spec.path) if spec.path.isdecimal() else 0 if spec.path else DEFAULT_COUNT
    if count < 1 or spec.split not in (None, TRAIN_SPLIT):
        text = spec.path + (f"#{spec.split}" if spec.split is not None else "")
        raise SegppError(
            f"'scenes:{text}' is not a number of scenes.",
            "scenes or scenes:N with N at least 1, and no split but #train.",
            commands.option("data", "scenes:50"),
        )
    name, first_seed = f"scenes:{count}", HELD_OUT_SEED
    if spec.split is not None:
        name, first_seed = f"{name}#{TRAIN_SPLIT}", 0
    return Dataset(name, tuple(_sample(i, first_seed + i) for i in range(count)), classes=SCENE_CLASSES, spec=spec)


def _sample(index: int, seed: int) -> Sample[LabelMap]:
    return Sample(
        name=f"scene_{index:04d}",
        load_image=lambda: _draw(seed).image,
        target=LabelFile(f"scene {index} (seed {seed})", lambda: _draw(seed).labels, is_drawn=True),
    )


@lru_cache(maxsize=1)  # picture and labels of a sample are asked for one after the other
def _draw(seed: int) -> Scene:
    return generate_scene(seed)
