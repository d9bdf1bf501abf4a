"""Where a model's weights come from; apart from loading them, so that options are checked before PyTorch is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segpp_deploy.config import Arch, TaskName
from segpp_deploy.model.weights.training_record import NOTHING_SAID, TrainingRecord

CHECKPOINT_SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")


@dataclass(frozen=True)
class Expected:
    """What the user believes of a checkpoint; None is not checked.

    Args:
        arch: backbone.
        num_outputs: classes or keypoints.
        task: what the model does.
    """

    arch: Arch | None = None
    num_outputs: int | None = None
    task: TaskName | None = None


@dataclass(frozen=True)
class CardSource:
    """A model card.

    Args:
        name: of the card, or the path of its file (*.yaml).
        checkpoint: weights file or Hugging Face directory in place of the card's.
        expected: checked against the weights; what is None there, the card says.
        weights: which of the file's weights; None for the default, see `choose_state_dict`.
        stated: what the user says of the training.
    """

    name: str
    checkpoint: Path | None = None
    expected: Expected = Expected()
    weights: str | None = None
    stated: TrainingRecord = NOTHING_SAID


@dataclass(frozen=True)
class CheckpointSource:
    """A checkpoint that no card describes.

    Args:
        path: weights file or Hugging Face directory.
        expected: checked against the weights.
        weights: which of the file's weights; None for the default, see `choose_state_dict`.
        stated: what the user says of the training.
    """

    path: Path
    expected: Expected = Expected()
    weights: str | None = None
    stated: TrainingRecord = NOTHING_SAID


@dataclass(frozen=True)
class SeedSource:
    """Random weights, to study latency: the same seed gives the same weights.

    Args:
        seed: of the generator.
        arch: backbone.
        task: what the model does.
        num_outputs: classes or keypoints.
        stated: what the user says of the training.
    """

    seed: int
    arch: Arch = Arch.B0
    task: TaskName = TaskName.SEG
    num_outputs: int = 19
    stated: TrainingRecord = NOTHING_SAID


ModelSource = CardSource | CheckpointSource | SeedSource
