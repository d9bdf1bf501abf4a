"""Held-out people are drawn when asked for, each picture once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from segpp_deploy.config import Size, TaskName
from segpp_deploy.data.datasets import people
from segpp_deploy.data.datasets.coco_keypoints import COCO_KEYPOINTS, COCO_RELATIONS
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.scenes import HELD_OUT_SEED, PeoplePicture, generate_people, place_people
from segpp_deploy.errors import SegppError

SMALL = Size(96, 128)


@pytest.fixture
def drawn_seeds(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Small pictures instead of full ones; returns the seeds that were drawn."""
    seeds: list[int] = []

    def draw_small(seed: int) -> PeoplePicture:
        seeds.append(seed)
        return generate_people(seed, SMALL)

    monkeypatch.setattr(people, "generate_people", draw_small)
    monkeypatch.setattr(people, "place_people", lambda seed: place_people(seed, SMALL))
    people._draw.cache_clear()
    yield seeds
    people._draw.cache_clear()


def test_people_are_held_out_and_each_picture_is_drawn_once(drawn_seeds: list[int]) -> None:
    dataset = parse_dataset("people:6")
    assert dataset.name == "people:6"
    assert dataset.task is TaskName.POSE
    assert (dataset.classes, dataset.keypoints) == (COCO_KEYPOINTS, COCO_RELATIONS)
    assert drawn_seeds == []
    loaded = [sample.load(17) for sample in dataset]
    assert len(loaded) == 6
    assert drawn_seeds == sorted(set(drawn_seeds))
    assert drawn_seeds[0] == HELD_OUT_SEED
    truth = [person for seed in drawn_seeds for person in place_people(seed, SMALL)]
    for example, person in zip(loaded, truth[:6], strict=True):
        assert example.target is not None
        assert example.box is not None
        np.testing.assert_array_equal(example.target.points, person.points)
        np.testing.assert_array_equal(example.target.is_labelled, person.is_inside)
        assert example.target.person_px == example.box.longer_side > 0


def test_people_that_training_used(drawn_seeds: list[int]) -> None:
    dataset = parse_dataset("people:2#train")
    assert dataset.name == "people:2#train"
    assert [sample.load_image().shape for sample in dataset] == [(*SMALL.hw, 3)] * 2
    assert drawn_seeds[0] == 0


def test_names_are_of_picture_and_person(drawn_seeds: list[int]) -> None:
    dataset = parse_dataset("people")
    assert len(dataset) == people.DEFAULT_COUNT
    first = len(place_people(HELD_OUT_SEED, SMALL))
    assert dataset.samples[first].name == "people_0001_0"


@pytest.mark.parametrize("text", ["people:0", "people:-1", "people:many", "people:3#val"])
def test_not_a_number_of_people(text: str) -> None:
    with pytest.raises(SegppError, match="not a number of people"):
        parse_dataset(text)
