"""The pose model that the repository ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from segpp_deploy.config import Normalization
from segpp_deploy.data.datasets.coco_keypoints import COCO_KEYPOINTS, COCO_RELATIONS
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.geometry.crop import Crop
from segpp_deploy.model.weights.card_schema import ModelCard
from segpp_deploy.model.weights.cards import load_card, resolve_card_checkpoint
from segpp_deploy.model.weights.checkpoint import load_checkpoint
from segpp_deploy.tasks.pose.decoding import decode_heatmaps


@pytest.fixture
def card(models_folder: Path) -> ModelCard:
    return load_card(str(models_folder / "segformer_b0_people.yaml"))


def test_card_fits_the_generator(card: ModelCard) -> None:
    assert card.keypoint_relations() == COCO_RELATIONS
    assert [(metric.name, metric.mode) for metric in card.metrics[:2]] == [
        ("PCK@0.1", "original"),
        ("PCK@0.05", "original"),
    ]


def test_model_finds_the_keypoints_of_held_out_people(card: ModelCard) -> None:
    model, values = load_checkpoint(resolve_card_checkpoint(card)).model, Normalization()
    found = []
    for sample in parse_dataset("people:8"):
        example = sample.load(len(COCO_KEYPOINTS))
        assert example.target is not None
        assert example.box is not None
        crop = Crop.around(example.box, card.input_size)
        image = (crop.cut(example.image) - np.array(values.mean, np.float32)) / np.array(values.std, np.float32)
        with torch.inference_mode():
            heatmaps = model(torch.from_numpy(image).permute(2, 0, 1)[None])[0].numpy()
        cells, _ = decode_heatmaps(heatmaps)
        distance = np.linalg.norm(crop.to_picture(cells * np.float32(4)) - example.target.points, axis=1)
        found.append((distance < 0.1 * example.target.person_px)[example.target.is_labelled].mean())
    assert np.mean(found) > 0.7
