"""`export`: find the weights, set the plan, write the ONNX file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from segpp_deploy.config import (
    Arch,
    ClassTable,
    Normalization,
    OutputKind,
    Size,
    Task,
    default_class_table,
)
from segpp_deploy.errors import SegppError
from segpp_deploy.files import require_writable
from segpp_deploy.graph.export import ExportRequest, ExportResult, export_graph
from segpp_deploy.model.card_schema import ModelCard
from segpp_deploy.model.cards import keep_quiet, load_card, resolve_card_checkpoint
from segpp_deploy.model.checkpoint import load_checkpoint
from segpp_deploy.model.plan_file import load_plan
from segpp_deploy.model.segformer import ModelSpec, SegFormer, build_segformer
from segpp_deploy.workflows.export.options import ExportOptions

DEFAULT_SIZES = {Task.SEG: Size(512, 1024), Task.POSE: Size(384, 288)}


@dataclass(frozen=True)
class SourceModel:
    """A model with what its source says about it."""

    model: SegFormer
    classes: ClassTable
    normalization: Normalization
    size: Size
    name: str
    sha256: str


def run_export(options: ExportOptions, tell: Callable[[str], None] = keep_quiet) -> ExportResult:
    """Export the model that `options` describe; `tell` is given what to know about a download.

    Raises:
        SegppError: the source is missing or wrong, the plan is unknown, or the file cannot be written; all of it
            before the long part begins, as far as it can be known then.
    """
    plan = load_plan(options.mode)
    require_writable(options.output)
    source = load_source(options, tell)
    source.model.plan = plan
    request = ExportRequest(
        size=options.size or source.size,
        batch=options.batch,
        input_kind=options.input_kind,
        output_kind=_output_kind(options.output_kind, source.model.spec.task),
        lowering=options.lowering,
        classes=source.classes,
        normalization=source.normalization,
        checkpoint=source.name,
        checkpoint_sha256=source.sha256,
    )
    return export_graph(source.model, request, options.output)


def export_to_dict(result: ExportResult) -> dict[str, Any]:
    """Return the JSON fields of `export --json`."""
    described = result.metadata.to_dict()
    return {"path": str(result.path), "sha256": result.sha256, "notes": list(result.notes), **described}


def load_source(options: ExportOptions, tell: Callable[[str], None] = keep_quiet) -> SourceModel:
    """Load the weights from a card, a checkpoint or a seed.

    Raises:
        SegppError: none or several sources are named, or the weights do not fit what the user said.
    """
    if options.random_weights_seed is not None:
        return _random_source(options)
    card = load_card(options.model) if options.model else None
    if card is None and options.checkpoint is None:
        raise SegppError(
            "No model was named.",
            "a model card, a checkpoint, or --random-weights.",
            "segpp-deploy export segformer_b0_scenes -o model.onnx, or --checkpoint FILE",
        )
    checkpoint = options.checkpoint or resolve_card_checkpoint(_required(card), tell=tell)
    loaded = load_checkpoint(
        checkpoint,
        arch=options.arch or (card.arch if card else None),
        num_outputs=options.num_classes or (card.num_outputs if card else None),
        task=options.task or (card.task if card else None),
    )
    spec = loaded.model.spec
    card_classes = card.class_table() if card else None
    return SourceModel(
        model=loaded.model,
        classes=card_classes or loaded.classes or default_class_table(spec.num_outputs),
        normalization=(card.normalization_values() if card else None) or loaded.normalization or Normalization(),
        size=(card.input_size if card else None) or DEFAULT_SIZES[spec.task],
        name=str(options.model if options.checkpoint is None else checkpoint),
        sha256=loaded.sha256,
    )


def _random_source(options: ExportOptions) -> SourceModel:
    if options.checkpoint or options.model:
        raise SegppError(
            "Random weights and a checkpoint or card exclude each other.",
            "one source of weights.",
            "Leave out --random-weights, or the checkpoint.",
        )
    task = options.task or Task.SEG
    spec = ModelSpec(options.arch or Arch.B0, options.num_classes or 19, task=task)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.random_weights_seed or 0)
        model = build_segformer(spec)
    return SourceModel(
        model=model,
        classes=default_class_table(spec.num_outputs),
        normalization=Normalization(),
        size=DEFAULT_SIZES[task],
        name=f"{RANDOM_PREFIX}{options.random_weights_seed}",
        sha256="",
    )


RANDOM_PREFIX = "random weights, seed "


def _output_kind(asked: OutputKind | None, task: Task) -> OutputKind:
    allowed = {
        Task.SEG: (OutputKind.LABELS, OutputKind.LOGITS),
        Task.POSE: (OutputKind.HEATMAPS,),
    }[task]
    if asked is None:
        return allowed[0]
    if asked not in allowed:
        raise SegppError(
            f"--output {asked} does not fit a {task} model.",
            f"one of: {', '.join(str(kind) for kind in allowed)}.",
            f"--output {allowed[0]}",
        )
    return asked


def _required(card: ModelCard | None) -> ModelCard:
    assert card is not None
    return card
