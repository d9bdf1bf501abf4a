"""Which tensors calibration looks at, and the graphs that show them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import onnx
import onnx_ir as ir
from onnx import helper
from onnx_ir.passes import common as passes

from segpp_deploy.graph.precision.layers import find_layers

EXTREMES = ("ReduceMax", "ReduceMin", "ReduceSumSquare")
"""What is computed of each tensor in the first pass. The sum is the only one that is NaN where a value is."""

_SAME_VALUES = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
_BODY_MARK = "."  # in the names of tensors inside portable bodies, which the other lowering has not


@dataclass(frozen=True)
class ObservedTensors:
    """What to look at.

    Args:
        source_of: every float32 activation that both lowerings have, in graph order, to the one that holds the same
            values in another layout (itself, mostly): what is looked at.
        of_layers: those of them that a convolution or linear layer reads or makes.
    """

    source_of: dict[str, str]
    of_layers: frozenset[str]

    @property
    def sources(self) -> tuple[str, ...]:
        """The tensors to compute extremes of."""
        return tuple(dict.fromkeys(self.source_of.values()))

    @property
    def counted_sources(self) -> tuple[str, ...]:
        """The tensors to count values of."""
        return tuple(dict.fromkeys(source for name, source in self.source_of.items() if name in self.of_layers))


def find_observed(model: ir.Model) -> ObservedTensors:
    """Choose the tensors of an fp32 export of either lowering."""
    source_of: dict[str, str] = {}
    for node in model.graph:
        for value in node.outputs:
            name = value.name or ""
            if value.dtype is ir.DataType.FLOAT and _BODY_MARK not in name and node.op_type != "Constant":
                source_of[name] = source_of.get(_same_values(node), name)
    ends = {value.name or "" for layer in find_layers(model) for value in (layer.input, layer.output)}
    if unknown := ends - source_of.keys() - {value.name for value in model.graph.inputs}:
        raise ValueError(f"layers use tensors that only one lowering has: {sorted(unknown)}")
    for value in model.graph.inputs:
        if value.name in ends:
            source_of = {value.name: value.name, **source_of}
    return ObservedTensors(source_of, frozenset(ends))


def show_extremes(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Return a copy whose outputs are the `EXTREMES` of each named tensor, as scalars."""
    shown = _without_outputs(model)
    for name in names:
        for op_type in EXTREMES:
            output = f"{name}.{op_type}"
            shown.graph.node.append(helper.make_node(op_type, [name], [output], keepdims=0))
            shown.graph.output.append(helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, []))
    return shown


def show_values(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Return a copy whose outputs are the named tensors, without what none of them needs."""
    shown = _without_outputs(model)
    for name in names:
        output = f"{name}.values"  # a graph may not put out its own input
        shown.graph.node.append(helper.make_node("Identity", [name], [output]))
        shown.graph.output.append(helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None))
    return ir.to_proto(passes.RemoveUnusedNodesPass()(ir.from_proto(shown)).model)


def split_by_size(model: ir.Model, names: Sequence[str], most_bytes: int) -> tuple[tuple[str, ...], ...]:
    """Split tensors, in their order, into parts that take no more than `most_bytes` together (or hold one tensor).

    An unknown length (the batch) counts as 1.
    """
    values = [*model.graph.inputs, *(value for node in model.graph for value in node.outputs)]
    sizes = {value.name: _count_bytes(value) for value in values}
    parts: list[list[str]] = []
    taken = most_bytes
    for name in names:
        if not parts or taken + sizes[name] > most_bytes:
            parts.append([])
            taken = 0
        parts[-1].append(name)
        taken += sizes[name]
    return tuple(map(tuple, parts))


def _count_bytes(value: ir.Value) -> int:
    lengths = [] if value.shape is None else [length if isinstance(length, int) else 1 for length in value.shape]
    return 4 * math.prod(lengths)  # everything observed is float32


def _same_values(node: ir.Node) -> str:
    source = node.inputs[0] if node.inputs else None
    return source.name or "" if node.op_type in _SAME_VALUES and source is not None else ""


def _without_outputs(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    return copy
