"""`people[:N]`: N procedural people with exact keypoints, drawn when asked, with seeds that no training run uses.

`people[:N]#train` are the first of the people that the shipped model was trained on, for calibration.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import count, islice

from segpp_deploy.config import TaskName
from segpp_deploy.data.datasets.base import Dataset, DatasetSpec, Sample
from segpp_deploy.data.datasets.coco_keypoints import COCO_KEYPOINTS, COCO_RELATIONS
from segpp_deploy.data.datasets.generated import parse_part
from segpp_deploy.data.datasets.keypoints import KeypointAnnotation, Keypoints
from segpp_deploy.data.geometry.crop import Box
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.scenes import PlacedPerson, generate_people, place_people

DEFAULT_COUNT = 100


def open_people(spec: DatasetSpec) -> Dataset[Keypoints]:
    """Make N samples of one person each, `DEFAULT_COUNT` where no N is given; held-out ones without a split.

    Raises:
        SegppError: N is not a positive whole number, or another split than `train` is named.
    """
    part = parse_part(spec, DEFAULT_COUNT)
    samples = tuple(islice(_samples(part.first_seed), part.count))
    return Dataset(part.name, samples, TaskName.POSE, COCO_KEYPOINTS, COCO_RELATIONS, spec)


def _samples(first_seed: int) -> Iterator[Sample[Keypoints]]:
    for index in count():
        for number, person in enumerate(place_people(first_seed + index)):
            yield _sample(f"people_{index:04d}_{number}", first_seed + index, person)


def _sample(name: str, seed: int, person: PlacedPerson) -> Sample[Keypoints]:
    box = Box(*person.box)
    keypoints = Keypoints(person.points, person.is_inside, box.longer_side)
    return Sample(name, lambda: _draw(seed), KeypointAnnotation(name, keypoints), box)


@lru_cache(maxsize=1)  # the people of a picture follow one another
def _draw(seed: int) -> ByteImage:
    return generate_people(seed).image
