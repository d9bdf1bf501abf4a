"""The demo model that the repository ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from segpp_deploy.config import Normalization
from segpp_deploy.data.scenes import HELD_OUT_SEED, SCENE_CLASSES, generate_scene
from segpp_deploy.files import sha256_of
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.weights.card_schema import ModelCard
from segpp_deploy.model.weights.cards import load_card, resolve_card_checkpoint
from segpp_deploy.model.weights.checkpoint import load_checkpoint

MAX_BYTES = 10_000_000


@pytest.fixture
def card(models_folder: Path) -> ModelCard:
    return load_card(str(models_folder / "segformer_b0_scenes.yaml"))


def test_card_fits_the_generator(card: ModelCard) -> None:
    assert card.class_table() == SCENE_CLASSES
    assert card.metrics[0].mode == "original"


def test_weights_are_small_and_are_the_card_s(card: ModelCard) -> None:
    weights = resolve_card_checkpoint(card)
    assert weights.stat().st_size < MAX_BYTES
    assert sha256_of(weights) == card.checkpoint.sha256


def test_file_describes_itself(card: ModelCard) -> None:
    loaded = load_checkpoint(resolve_card_checkpoint(card))
    assert loaded.dialect is Dialect.MMSEG
    assert loaded.record.class_table(len(SCENE_CLASSES), "") == SCENE_CLASSES
    assert card.normalization is not None
    assert (loaded.record.mean, loaded.record.std) == (card.normalization.mean, card.normalization.std)


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
