"""Load a model from its source: a card, a checkpoint or a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from segpp_deploy.config import ChannelOrder, ClassTable, Normalization, Size
from segpp_deploy.model.segformer import ModelSpec, SegFormer, build_segformer, take_rgb
from segpp_deploy.model.training_facts import TrainingFacts
from segpp_deploy.model.weights.card_schema import ModelCard
from segpp_deploy.model.weights.cards import keep_quiet, load_card, resolve_card_checkpoint
from segpp_deploy.model.weights.checkpoint import load_checkpoint
from segpp_deploy.model.weights.source import CardSource, CheckpointSource, Expected, ModelSource, SeedSource
from segpp_deploy.model.weights.training_record import TrainingRecord


@dataclass(frozen=True)
class SourceModel:
    """A model with what its source says about it.

    Args:
        model: float32, in eval mode, plan `original`; takes RGB.
        classes: names and colours, one per output.
        normalization: mean and deviation the network was trained with.
        training: what else an export keeps of the training.
        size: what the model is meant for; None where nobody said.
        name: the source in words: path, card name, or seed.
        sha256: hash of the weights file; empty for random weights.
        seed: of random weights.
        notes: what the user should know of the choice of weights and of the training.
    """

    model: SegFormer
    classes: ClassTable
    normalization: Normalization
    training: TrainingFacts
    size: Size | None
    name: str
    sha256: str
    seed: int | None = None
    notes: tuple[str, ...] = ()


def load_source(source: ModelSource, tell: Callable[[str], None] = keep_quiet) -> SourceModel:
    """Load the weights from a card, a checkpoint or a seed; `tell` is given what to know about a download.

    Raises:
        SegppError: the card or its weights are missing, the weights do not fit what is expected of them, or what is
            said of the training contradicts itself.
    """
    if isinstance(source, SeedSource):
        return _load_random(source)
    if isinstance(source, CheckpointSource):
        return _load(source.path, source.expected, source.stated, source.weights)
    return _load_card(source, tell)


def _load_random(source: SeedSource) -> SourceModel:
    spec = ModelSpec(source.arch, source.num_outputs, task=source.task)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(source.seed)
        model = build_segformer(spec)
    found = _described(model, source.stated, f"random weights, seed {source.seed}")
    return replace(found, seed=source.seed, training=replace(found.training, assumed=()))


def _load_card(source: CardSource, tell: Callable[[str], None]) -> SourceModel:
    card, asked = load_card(source.name), source.expected
    found = _load(
        source.checkpoint or resolve_card_checkpoint(card, tell),
        Expected(asked.arch or card.arch, asked.num_outputs or card.num_outputs, asked.task or card.task),
        source.stated.or_else(_card_record(card)),
        source.weights,
    )
    return found if source.checkpoint is not None else replace(found, name=source.name)


def _load(path: Path, expected: Expected, stated: TrainingRecord, weights: str | None) -> SourceModel:
    """Load a checkpoint, and complete what is said before by its own record."""
    loaded = load_checkpoint(
        path, arch=expected.arch, num_outputs=expected.num_outputs, task=expected.task, weights=weights
    )
    described = _described(loaded.model, stated.or_else(loaded.record), str(path))
    return replace(
        described,
        training=replace(described.training, weights=weights),
        sha256=loaded.sha256,
        notes=(*loaded.notes, *described.notes),
    )


def _card_record(card: ModelCard) -> TrainingRecord:
    classes, statistics = card.class_table(), card.normalization
    described = TrainingRecord(classes=classes.names, palette=classes.palette, size=card.input_size)
    if statistics is None:
        return described
    return replace(described, mean=statistics.mean, std=statistics.std, channel_order=ChannelOrder.RGB)


def _described(model: SegFormer, record: TrainingRecord, name: str) -> SourceModel:
    """Judge what is known of the training, and let the network take RGB."""
    outputs = model.spec.num_outputs
    order = record.channel_order or ChannelOrder.RGB
    described = SourceModel(
        model=model,
        classes=record.class_table(outputs, name),
        normalization=record.normalization(name),
        training=TrainingFacts(
            channel_order=order,
            reduce_labels=record.reduce_labels,
            keypoints=record.keypoints,
            assumed=replace(record, task=model.spec.task).assumed(outputs),
        ),
        size=record.size,
        name=name,
        sha256="",
        notes=_training_notes(record),
    )
    take_rgb(model, order)
    return described


def _training_notes(record: TrainingRecord) -> tuple[str, ...]:
    notes = []
    if record.channel_order is ChannelOrder.BGR:
        notes.append("Trained on BGR: the first layer's channels are swapped, so that the graph takes RGB.")
    if record.reduce_labels:
        notes.append("Trained on labels numbered from 1, with 0 for what does not count.")
    if record.window is not None:
        notes.append(f"Tested in training with sliding windows of {record.window}.")
    return tuple(notes)
