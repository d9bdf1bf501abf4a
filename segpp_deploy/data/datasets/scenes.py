"""`scenes[:N]`: procedural street scenes, drawn when asked, with seeds that no training run uses.

`scenes[:N]#train` are the first of the scenes that the shipped model was trained on, for calibration.
"""

from __future__ import annotations

from functools import lru_cache

from segpp_deploy.data.datasets.base import Dataset, DatasetSpec, Sample
from segpp_deploy.data.datasets.generated import parse_part
from segpp_deploy.data.datasets.labels import LabelFile
from segpp_deploy.data.label_maps import LabelMap
from segpp_deploy.data.scenes import SCENE_CLASSES, Scene, generate_scene

DEFAULT_COUNT = 50


def open_scenes(spec: DatasetSpec) -> Dataset[LabelMap]:
    """Make N scenes of the default size, `DEFAULT_COUNT` where no N is given; held-out ones without a split.

    Raises:
        SegppError: N is not a positive whole number, or another split than `train` is named.
    """
    part = parse_part(spec, DEFAULT_COUNT)
    samples = tuple(_sample(index, part.first_seed + index) for index in range(part.count))
    return Dataset(part.name, samples, classes=SCENE_CLASSES, spec=spec)


def _sample(index: int, seed: int) -> Sample[LabelMap]:
    return Sample(
        name=f"scene_{index:04d}",
        load_image=lambda: _draw(seed).image,
        target=LabelFile(f"scene {index} (seed {seed})", lambda: _draw(seed).labels, is_drawn=True),
    )


@lru_cache(maxsize=1)  # picture and labels of a sample are asked for one after the other
def _draw(seed: int) -> Scene:
    return generate_scene(seed)
