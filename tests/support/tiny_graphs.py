"""Exported files in miniature: real metadata on graphs of three nodes, for tests of what comes after the export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import onnx.parser

from segpp_deploy.config import (
    Arch,
    InputKind,
    Lowering,
    Normalization,
    OutputKind,
    Precision,
    Preset,
    Size,
    TaskName,
    default_class_table,
)
from segpp_deploy.graph.exporting.export import GraphOptions, describe_graph
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.model.plan import PRESETS, MergePlan, count_tokens
from segpp_deploy.model.segformer import SegFormer

SIZE = Size(64, 96)
CLASSES = 3

LABELS_BODY = """
    third = Constant <value = int32 {85}> ()
    two_thirds = Constant <value = int32 {170}> ()
    axis = Constant <value = int64[1] {3}> ()
    brightest_byte = ReduceMax <keepdims = 0> (image, axis)
    brightest = Cast <to = 6> (brightest_byte)
    above_third = Greater (brightest, third)
    above_two_thirds = Greater (brightest, two_thirds)
    one = Cast <to = 6> (above_third)
    two = Cast <to = 6> (above_two_thirds)
    thirds = Add (one, two)
    labels = Cast <to = 2> (thirds)
"""
LOGITS_BODY = """
    pixels = Cast <to = 1> (image)
    planes = Transpose <perm = [0, 3, 1, 2]> (pixels)
    logits = AveragePool <kernel_shape = [4, 4], strides = [4, 4]> (planes)
"""
FLOAT_LOGITS_BODY = "logits = AveragePool <kernel_shape = [4, 4], strides = [4, 4]> (image)"
PLUGIN_BODY = """
    pixels = Cast <to = 1> (image)
    planes = Transpose <perm = [0, 3, 1, 2]> (pixels)
    small = AveragePool <kernel_shape = [4, 4], strides = [4, 4]> (planes)
    labels = segpp.UpsampleArgmax <height = 64, width = 96> (small)
"""


def tiny_metadata(
    output_kind: OutputKind = OutputKind.LABELS,
    input_kind: InputKind = InputKind.UINT8,
    batch: int | None = 1,
    lowering: Lowering = Lowering.PORTABLE,
    size: Size = SIZE,
    num_classes: int = CLASSES,
) -> ExportMetadata:
    """Metadata as an export of B0 has it, by default with three classes at 64x96."""
    plan = PRESETS[Preset.ORIGINAL]
    return ExportMetadata(
        arch=Arch.B0,
        task=TaskName.POSE if output_kind is OutputKind.HEATMAPS else TaskName.SEG,
        plan=plan,
        tokens=tuple(count_tokens(plan, size.hw)),
        size=size,
        batch=batch,
        input_kind=input_kind,
        output_kind=output_kind,
        lowering=lowering,
        precision=Precision.FP32,
        classes=default_class_table(num_classes),
        normalization=Normalization(),
        checkpoint="b0.pth",
        checkpoint_sha256="",
        tool_version="0.0.0",
    )


def tiny_model(metadata: ExportMetadata, body: str | None = None) -> onnx.ModelProto:
    """A graph with the ends that `metadata` describes: thirds of the brightest channel, or 4x4 means."""
    batch = "B" if metadata.batch is None else metadata.batch
    is_float = metadata.input_kind.is_planar
    if body is None:
        is_labels = metadata.output_kind is OutputKind.LABELS
        body = LABELS_BODY if is_labels else FLOAT_LOGITS_BODY if is_float else LOGITS_BODY
        body = body.replace("logits", str(metadata.output_kind))
    ends = {
        "in": f"float[{batch}, 3, 64, 96]" if is_float else f"uint8[{batch}, 64, 96, 3]",
        "out": f"uint8[{batch}, 64, 96] labels"
        if metadata.output_kind is OutputKind.LABELS
        else f"float[{batch}, {CLASSES}, 16, 24] {metadata.output_kind}",
    }
    text = (
        '<ir_version: 9, opset_import: ["" : 18, "segpp" : 1]> '
        f"tiny ({ends['in']} image) => ({ends['out']}) {{ {body} }}"
    )
    model = onnx.parser.parse_model(text)
    onnx.helper.set_model_props(model, metadata.to_properties())
    return model


class TinyAssembler:
    """Stands in for `GraphAssembler`: gives every plan the same tiny graph, with the plan's own metadata.

    Tracing takes longer than all the rest.
    """

    def __init__(self, model: SegFormer, request: GraphOptions, kept_bytes: int) -> None:
        self._spec, self._request = model.spec, request

    def assemble(self, plan: MergePlan, size: Size, lowering: Lowering) -> GraphFile:
        """Return the graph, for pictures of `SIZE`."""
        metadata = describe_graph(self._spec, plan, replace(self._request, size=size, lowering=lowering))
        return GraphFile(Path("tiny.onnx"), tiny_model(metadata), metadata, "")


def write_tiny(path: Path, metadata: ExportMetadata | None = None, body: str | None = None) -> Path:
    """Write a tiny graph and return its path."""
    onnx.save(tiny_model(metadata or tiny_metadata(), body), str(path))
    return path


def with_precision(metadata: ExportMetadata, precision: Precision) -> ExportMetadata:
    """The same metadata claiming another precision."""
    return replace(metadata, precision=precision)
