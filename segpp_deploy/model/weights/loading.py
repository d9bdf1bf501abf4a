"""Load a model from its source: a card, a checkpoint or a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from segpp_deploy.config import ClassTable, Normalization, Size, default_class_table
from segpp_deploy.model.segformer import ModelSpec, SegFormer, build_segformer
from segpp_deploy.model.weights.cards import keep_quiet, load_card, resolve_card_checkpoint
from segpp_deploy.model.weights.checkpoint import LoadedCheckpoint, load_checkpoint
from segpp_deploy.model.weights.source import CardSource, CheckpointSource, Expected, ModelSource, SeedSource


@dataclass(frozen=True)
class SourceModel:
    """A model with what its source says about it.

    Args:
        model: float32, in eval mode, plan `original`.
        classes: names and colours, one per output.
        normalization: mean and deviation the network was trained with.
        size: what the card says the model is meant for; None without a card.
        name: the source in words: path, card name, or seed.
        sha256: hash of the weights file; empty for random weights.
        seed: of random weights.
    """

    model: SegFormer
    classes: ClassTable
    normalization: Normalization
    size: Size | None
    name: str
    sha256: str
    seed: int | None = None


def load_source(source: ModelSource, tell: Callable[[str], None] = keep_quiet) -> SourceModel:
    """Load the weights from a card, a checkpoint or a seed; `tell` is given what to know about a download.

    Raises:
        SegppError: the card or its weights are missing, or the weights do not fit what is expected of them.
    """
    if isinstance(source, SeedSource):
        return _load_random(source)
    if isinstance(source, CheckpointSource):
        return _load_bare(source)
    return _load_described(source, tell)


def _load_random(source: SeedSource) -> SourceModel:
    spec = ModelSpec(source.arch, source.num_outputs, task=source.task)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(source.seed)
        model = build_segformer(spec)
    return SourceModel(
        model=model,
        classes=default_class_table(spec.num_outputs),
        normalization=Normalization(),
        size=None,
        name=f"random weights, seed {source.seed}",
        sha256="",
        seed=source.seed,
    )


def _load_bare(source: CheckpointSource) -> SourceModel:
    loaded = _load(source.path, source.expected)
    return SourceModel(
        model=loaded.model,
        classes=loaded.classes or default_class_table(loaded.model.spec.num_outputs),
        normalization=loaded.normalization or Normalization(),
        size=None,
        name=str(source.path),
        sha256=loaded.sha256,
    )


def _load_described(source: CardSource, tell: Callable[[str], None]) -> SourceModel:
    card, asked = load_card(source.name), source.expected
    loaded = _load(
        source.checkpoint or resolve_card_checkpoint(card, tell),
        Expected(asked.arch or card.arch, asked.num_outputs or card.num_outputs, asked.task or card.task),
    )
    return SourceModel(
        model=loaded.model,
        classes=card.class_table(),
        normalization=card.normalization_values(),
        size=card.input_size,
        name=source.name if source.checkpoint is None else str(source.checkpoint),
        sha256=loaded.sha256,
    )


def _load(path: Path, expected: Expected) -> LoadedCheckpoint:
    return load_checkpoint(path, arch=expected.arch, num_outputs=expected.num_outputs, task=expected.task)
