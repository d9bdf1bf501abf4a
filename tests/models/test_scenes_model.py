"""The demo model that the repository ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from segpp_deploy.config import Normalization
from segpp_deploy.data.scenes import HELD_OUT_SEED, generate_scene
from segpp_deploy.model.weights.card_schema import ModelCard
from segpp_deploy.model.weights.cards import load_card, resolve_card_checkpoint
from segpp_deploy.model.weights.checkpoint import load_checkpoint


@pytest.fixture
def card(models_folder: Path) -> ModelCard:
    return load_card(str(models_folder / "segformer_b0_scenes.yaml"))


def test_the_first_score_is_that_of_the_unmerged_model(card: ModelCard) -> None:
    assert card.metrics[0].mode == "original"


def test_model_segments_held_out_scenes(card: ModelCard) -> None:
    model = load_checkpoint(resolve_card_checkpoint(card)).model
    values = Normalization()
    correct = []
    for seed in range(HELD_OUT_SEED, HELD_OUT_SEED + 3):
        scene = generate_scene(seed, card.input_size)
        image = (scene.image.astype(np.float32) - values.mean) / values.std
        with torch.inference_mode():
            logits = model(torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None])
        labels = logits.argmax(1)[0].numpy()
        correct.append(float(np.mean(labels == scene.labels[2::4, 2::4])))
    assert np.mean(correct) > 0.93
