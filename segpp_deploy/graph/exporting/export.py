"""Checkpoint's model to ONNX file: fold, trace, lower, check, write."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import onnx
import onnx_ir as ir
from onnx_ir.passes import common as passes

from segpp_deploy import __version__, commands
from segpp_deploy.config import (
    ClassTable,
    Fit,
    InputKind,
    Lowering,
    Normalization,
    OutputForm,
    OutputKind,
    Precision,
    Size,
)
from segpp_deploy.errors import SegppError
from segpp_deploy.files import atomic_path, sha256_of
from segpp_deploy.graph.exporting.deployable import Deployable
from segpp_deploy.graph.exporting.lowering import lower_to_portable, lower_without_plugin
from segpp_deploy.graph.exporting.output_form import check_form, give_form
from segpp_deploy.graph.exporting.tracing import trace
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.graph.rewrites.plugin import rewrite_for_plugins
from segpp_deploy.model.folding import fold_model
from segpp_deploy.model.plan import MergePlan, count_tokens, explain_plan
from segpp_deploy.model.segformer import ModelSpec, SegFormer
from segpp_deploy.model.training_facts import TrainingFacts
from segpp_deploy.ops.upsample_argmax import MAX_CLASSES


@dataclass(frozen=True)
class GraphOptions:
    """What to export a model as.

    Args:
        size: input size in pixels.
        batch: images per call; None for a dynamic batch axis.
        input_kind: see `InputKind`.
        output_kind: see `OutputKind`.
        lowering: see `Lowering`.
        classes: names and colours, one per output of the model; two where there is a threshold.
        normalization: what the model was trained with.
        checkpoint: where the weights came from, as the user named it.
        checkpoint_sha256: hash of the weights file; empty for random weights.
        seed: of random weights; None for a checkpoint.
        training: what else is kept of the training.
        threshold: of a segmentation model with one output: where its sigmoid is above it, a pixel is foreground.
        fit: how pictures of another aspect are to be shown to a segmentation model.
        fold: fold the model first; off only to measure what folding gains.
        output_form: see `OutputForm`.
    """

    size: Size
    batch: int | None
    input_kind: InputKind
    output_kind: OutputKind
    lowering: Lowering
    classes: ClassTable
    normalization: Normalization
    checkpoint: str
    checkpoint_sha256: str
    seed: int | None = None
    training: TrainingFacts = field(default_factory=TrainingFacts)
    threshold: float | None = None
    fit: Fit = Fit.RESIZE
    fold: bool = True
    output_form: OutputForm = field(default_factory=OutputForm)


@dataclass(frozen=True)
class ExportedGraph:
    """A written file.

    Args:
        path: the ONNX file.
        metadata: what the file says about itself.
        sha256: hash of the file.
        notes: what the user should know, such as stages where the plan merges nothing.
    """

    path: Path
    metadata: ExportMetadata
    sha256: str
    notes: tuple[str, ...]


def export_graph(model: SegFormer, request: GraphOptions, target: Path) -> ExportedGraph:
    """Write `model` with its plan (`model.plan`) as an ONNX file.

    Args:
        model: unfolded, float32, in eval mode.
        request: what to export it as.
        target: the file to write, whole or not at all.

    Raises:
        SegppError: the request does not fit the model, or the file cannot be written.
    """
    _check_request(model, request)
    check_form(request.output_kind, request.output_form)
    graph, metadata = build_graph(model, request)
    graph.metadata_props.update(metadata.to_properties())
    with atomic_path(target) as temporary:
        proto = ir.to_proto(graph)
        onnx.checker.check_model(proto, full_check=True)
        onnx.save(proto, temporary)
        digest = sha256_of(temporary)
    return ExportedGraph(target, metadata, digest, explain_plan(model.plan, request.size.hw))


def build_graph(model: SegFormer, request: GraphOptions) -> tuple[ir.Model, ExportMetadata]:
    """Return the ONNX graph in memory and its metadata, without writing anything.

    Raises:
        SegppError: the size is too small for the plan.
    """
    metadata = describe_graph(model.spec, model.plan, request)  # first: it finds out whether the plan fits the size
    deployed = fold_model(model) if request.fold else model
    graph = lower_graph(trace(Deployable.behind(metadata, deployed), request.size.hw, request.batch), request.lowering)
    give_form(graph.graph, metadata)
    return graph, metadata


def lower_graph(graph: ir.Model, lowering: Lowering) -> ir.Model:
    """Bring a traced graph into a lowering; it says who wrote it and nothing else."""
    if lowering is Lowering.PORTABLE:
        graph = lower_to_portable(graph)
    else:
        graph = rewrite_for_plugins(lower_without_plugin(graph))
    passes.ClearMetadataAndDocStringPass()(graph)
    graph.producer_name, graph.producer_version = "segpp-deploy", __version__
    return graph


def describe_graph(spec: ModelSpec, plan: MergePlan, request: GraphOptions) -> ExportMetadata:
    """Return the metadata of a graph.

    Raises:
        SegppError: the size is too small for the plan.
    """
    return ExportMetadata(
        arch=spec.arch,
        task=spec.task,
        plan=plan,
        tokens=tuple(count_tokens(plan, request.size.hw)),
        size=request.size,
        batch=request.batch,
        input_kind=request.input_kind,
        output_kind=request.output_kind,
        lowering=request.lowering,
        precision=Precision.FP32,
        classes=request.classes,
        normalization=request.normalization,
        checkpoint=request.checkpoint,
        checkpoint_sha256=request.checkpoint_sha256,
        tool_version=__version__,
        seed=request.seed,
        training=request.training,
        threshold=request.threshold,
        fit=request.fit,
        output_form=request.output_form,
    )


def _check_request(model: SegFormer, request: GraphOptions) -> None:
    _check_threshold(model, request.threshold)
    outputs = 2 if model.spec.is_binary else model.spec.num_outputs
    if len(request.classes) != outputs:
        raise SegppError(
            f"{len(request.classes)} class names were given for a model with {outputs} outputs.",
            f"{outputs} names, or none.",
            commands.option("num-classes", outputs) + ", or a model card that fits the checkpoint.",
        )
    if request.output_kind.is_labels and outputs > MAX_CLASSES:
        raise SegppError(
            f"Labels are compared as uint8, but the model has {outputs} classes.",
            f"at most {MAX_CLASSES} classes.",
            commands.option("output", OutputKind.LOGITS),
        )


def _check_threshold(model: SegFormer, threshold: float | None) -> None:
    if model.spec.is_binary and threshold is None:
        raise SegppError(
            "The model has one output, and nothing says from which value on it means foreground.",
            "a threshold of its sigmoid.",
            commands.option("threshold", 0.5),
        )
