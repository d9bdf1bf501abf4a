"""Load a model from its source: a card, a checkpoint or a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from segpp_deploy import commands
from segpp_deploy.config import ChannelOrder, ClassTable, Normalization, Size, TaskName
from segpp_deploy.errors import SegppError
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
        classes: names and colours, one per output; background and foreground of a segmentation model with one.
        normalization: mean and deviation the network was trained with.
        training: what else an export keeps of the training.
        size: what the model is meant for; None where nobody said.
        name: the source in words: path, card name, or seed.
        sha256: hash of the weights file; empty for random weights.
        seed: of random weights.
        notes: what the user should know of the choice of weights and of the training.
        threshold: of a segmentation model with one output, the sigmoid above which a pixel is foreground; else None.
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
    threshold: float | None = None


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
    _require_use(source.stated, model)
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
    _require_use(stated, loaded.model)
    described = _described(loaded.model, stated.or_else(loaded.record), str(path))
    return replace(
        described,
        training=replace(described.training, weights=weights),
        sha256=loaded.sha256,
        notes=(*loaded.notes, *described.notes),
    )


def _card_record(card: ModelCard) -> TrainingRecord:
    classes, statistics = card.class_table(), card.normalization
    described = TrainingRecord(
        classes=classes.names,
        palette=classes.palette,
        size=card.input_size,
        threshold=card.threshold,
        reduce_labels=card.reduce_labels,
        keypoints=card.keypoint_relations(),
    )
    if statistics is None:
        return described
    return replace(described, mean=statistics.mean, std=statistics.std, channel_order=statistics.channel_order)


def _described(model: SegFormer, record: TrainingRecord, name: str) -> SourceModel:
    """Judge what is known of the training, and let the network take RGB."""
    outputs, record = model.spec.num_outputs, replace(record, task=model.spec.task)
    order = record.channel_order or ChannelOrder.RGB
    classes, threshold = record.class_table(outputs, name), record.sigmoid_threshold(outputs, name)
    described = SourceModel(
        model=model,
        classes=classes,
        normalization=record.normalization(name),
        training=TrainingFacts(
            channel_order=order,
            reduce_labels=record.reduce_labels,
            keypoints=record.keypoints,
            assumed=record.assumed(outputs),
        ),
        size=record.size,
        name=name,
        sha256="",
        notes=(*_training_notes(record), *_explain_threshold(classes, threshold)),
        threshold=threshold,
    )
    take_rgb(model, order)
    return described


def _require_use(stated: TrainingRecord, model: SegFormer) -> None:
    """Refuse a threshold for outputs that are compared; one that a checkpoint records has no meaning there."""
    spec, option = model.spec, commands.option("threshold")
    if stated.threshold is not None and not spec.is_binary:
        found = "is for poses" if spec.task is TaskName.POSE else f"compares {spec.num_outputs} outputs"
        raise SegppError(
            f"{option} was given, but the model {found}.",
            "a segmentation model with one output, trained with a sigmoid.",
            "Leave " + option + " out.",
        )


def _explain_threshold(classes: ClassTable, threshold: float | None) -> tuple[str, ...]:
    if threshold is None:
        return ()
    background, foreground = classes.names
    return (f"One output: {foreground} where its sigmoid is above {threshold}, {background} elsewhere.",)


def _training_notes(record: TrainingRecord) -> tuple[str, ...]:
    notes = []
    if record.channel_order is ChannelOrder.BGR:
        notes.append("Trained on BGR: the first layer's channels are swapped, so that the graph takes RGB.")
    if record.reduce_labels:
        notes.append("Trained on labels numbered from 1, with 0 for what does not count.")
    if record.window is not None:
        notes.append(f"Tested in training with sliding windows of {record.window}.")
    return tuple(notes)
