"""Held-out scenes are drawn when asked for, always the same ones."""

from __future__ import annotations

import numpy as np
import pytest

from segpp_deploy.config import Size
from segpp_deploy.data.datasets import scenes
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.scenes import HELD_OUT_SEED, SCENE_CLASSES, Scene, generate_scene
from segpp_deploy.errors import SegppError


@pytest.fixture
def drawn_seeds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Small scenes instead of full ones; returns the seeds that were drawn."""
    seeds: list[int] = []

    def draw_small(seed: int) -> Scene:
        seeds.append(seed)
        return generate_scene(seed, Size(64, 128))

    monkeypatch.setattr(scenes, "generate_scene", draw_small)
    scenes._draw.cache_clear()
    yield seeds
    scenes._draw.cache_clear()


def test_count(drawn_seeds: list[int]) -> None:
    assert len(parse_dataset("scenes")) == scenes.DEFAULT_COUNT
    assert len(parse_dataset("scenes:7")) == 7
    assert len(parse_dataset("scenes:7", limit=3)) == 3
    assert drawn_seeds == [], "nothing is drawn before it is asked for"


def test_samples_are_held_out_and_drawn_once(drawn_seeds: list[int]) -> None:
    dataset = parse_dataset("scenes:2")
    loaded = [sample.load(len(SCENE_CLASSES)) for sample in dataset]
    assert drawn_seeds == [HELD_OUT_SEED, HELD_OUT_SEED + 1]
    for example, seed in zip(loaded, drawn_seeds, strict=True):
        expected = generate_scene(seed, Size(64, 128))
        np.testing.assert_array_equal(example.image, expected.image)
        np.testing.assert_array_equal(example.target, expected.labels)
    assert dataset.classes is SCENE_CLASSES


def test_scenes_that_training_used(drawn_seeds: list[int]) -> None:
    dataset = parse_dataset("scenes:3#train")
    assert dataset.name == "scenes:3#train"
    assert [sample.load_image().shape for sample in dataset] == [(64, 128, 3)] * 3
    assert drawn_seeds == [0, 1, 2]


@pytest.mark.parametrize("text", ["scenes:0", "scenes:-1", "scenes:many", "scenes:1.5", "scenes:3#val", "scenes:#val"])
def test_not_a_number_of_scenes(text: str) -> None:
    with pytest.raises(SegppError, match="not a number of scenes"):
        parse_dataset(text)
