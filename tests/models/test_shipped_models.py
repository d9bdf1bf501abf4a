"""What holds for every model that the repository ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from segpp_deploy.config import TaskName
from segpp_deploy.data.datasets.coco_keypoints import COCO_KEYPOINTS
from segpp_deploy.data.scenes import SCENE_CLASSES
from segpp_deploy.files import sha256_of
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.weights.card_schema import ModelCard
from segpp_deploy.model.weights.cards import load_card, resolve_card_checkpoint
from segpp_deploy.model.weights.checkpoint import load_checkpoint

MAX_BYTES = 10_000_000
SHIPPED = {
    "segformer_b0_scenes": (TaskName.SEG, Dialect.MMSEG, SCENE_CLASSES),
    "segformer_b0_people": (TaskName.POSE, Dialect.MMPOSE, COCO_KEYPOINTS),
}


@pytest.fixture(params=SHIPPED)
def card(request: pytest.FixtureRequest, models_folder: Path) -> ModelCard:
    return load_card(str(models_folder / f"{request.param}.yaml"))


def test_all_that_ships_is_here(models_folder: Path) -> None:
    assert {path.stem for path in models_folder.glob("*.safetensors")} == set(SHIPPED)


def test_weights_are_small_and_are_the_card_s(card: ModelCard) -> None:
    weights = resolve_card_checkpoint(card)
    assert weights.stat().st_size < MAX_BYTES
    assert sha256_of(weights) == card.checkpoint.sha256


def test_file_describes_itself(card: ModelCard) -> None:
    task, dialect, classes = SHIPPED[card.name]
    loaded = load_checkpoint(resolve_card_checkpoint(card))
    assert (loaded.model.spec.task, loaded.dialect) == (card.task, dialect) == (task, dialect)
    assert loaded.record.class_table(len(classes), "") == card.class_table() == classes
    assert card.normalization is not None
    assert (loaded.record.mean, loaded.record.std) == (card.normalization.mean, card.normalization.std)
