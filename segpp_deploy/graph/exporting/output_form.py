"""The outputs as they are asked for: their names, the type of labels, and the axes.

Traced graphs hand over labels and confidence as uint8 [B, H, W] by a Cast, which is the last node in both lowerings. It
stays the last one: TensorRT lets only a cast make a uint8 output.
"""

from __future__ import annotations

import re

import numpy as np
import onnx_ir as ir

from segpp_deploy import commands
from segpp_deploy.config import LabelsLayout, OutputForm, OutputKind
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.contract import INPUT_NAME, output_names, output_specs
from segpp_deploy.graph.metadata import ExportMetadata

_TYPES = {"uint8": ir.DataType.UINT8, "int32": ir.DataType.INT32, "int64": ir.DataType.INT64}


def check_form(kind: OutputKind, form: OutputForm) -> None:
    """Make sure that an output of this kind can be handed over so.

    Raises:
        SegppError: the name is none that ONNX allows, or something of labels is asked for where there are none.
    """
    if form.name is not None and not re.fullmatch(r"[A-Za-z_]\w*", form.name, re.ASCII):
        raise _bad_name(kind, f"{commands.option('output-name', form.name)} cannot be the name of a tensor.")
    if form.name in (INPUT_NAME, *output_names(kind, form.confidence)[1:]):
        raise _bad_name(kind, f"{commands.option('output-name', form.name)} is the name of another tensor.")
    of_labels = {
        commands.option("output-layout", form.layout): form.layout is not LabelsLayout.NHW,
        commands.option("confidence"): form.confidence,
    }
    for option, is_asked in of_labels.items():
        if is_asked and not kind.is_labels:
            raise SegppError(
                f"{option} is for labels, but the file puts out {kind}.",
                "labels.",
                "Leave it out, or add " + commands.option("output", OutputKind.LABELS) + ".",
            )


def give_form(graph: ir.Graph, metadata: ExportMetadata) -> None:
    """Make the outputs of a traced and lowered graph, in place, those that the metadata describes.

    Raises:
        SegppError: a tensor inside the graph has an output's name.
    """
    for output, spec in zip(graph.outputs, output_specs(metadata), strict=True):
        if metadata.output_kind.is_labels:
            _set_type(output, _TYPES[spec.dtype])
        if len(spec.shape) == len(output.shape or ()) + 1:
            _add_channel(graph, output)
        inner = {value.name for node in graph for value in node.outputs if value is not output}
        if spec.name in inner | set(graph.initializers):
            raise _bad_name(metadata.output_kind, f"A tensor inside the graph is called {spec.name!r} already.")
        output.name = spec.name


def _set_type(labels: ir.Value, dtype: ir.DataType) -> None:
    cast = labels.producer()
    assert cast is not None
    assert cast.op_type == "Cast"
    cast.attributes.add(ir.AttrInt64("to", dtype.value))
    labels.type = ir.TensorType(dtype)


def _add_channel(graph: ir.Graph, labels: ir.Value) -> None:
    """[B, H, W] -> [B, H, W, 1], before the last node."""
    cast = labels.producer()
    assert cast is not None
    given = cast.inputs[0]
    assert given is not None
    axis_name = f"{labels.name}.channel_axis"
    axis = ir.Value(name=axis_name, const_value=ir.tensor(np.array([-1], np.int64), name=axis_name))
    graph.register_initializer(axis)
    unsqueeze = ir.node("Unsqueeze", [given, axis])
    widened = unsqueeze.outputs[0]
    widened.name, widened.type = f"{labels.name}.channel", given.type
    assert labels.shape is not None
    widened.shape = labels.shape = ir.Shape([*labels.shape, 1])
    cast.replace_input_with(0, widened)
    graph.insert_before(cast, unsqueeze)


def _bad_name(kind: OutputKind, what: str) -> SegppError:
    return SegppError(
        what,
        "letters, digits and _, the first no digit, and no tensor of that name in the graph.",
        "Leave it out for " + commands.option("output-name", output_names(kind)[0]) + ", or choose another.",
    )
