"""fp16 graphs, typed in ONNX: the heavy work in half precision, what is delicate in float32.

The recipe. In fp16: convolutions and linear layers up to the last one, attention products, GELU, residual adds,
pooling, the plugin ops on tokens (which accumulate in float32 inside), and the decode head's resizes, sums and ReLU. In
float32: the image's normalisation, layer norms, softmax and what weighted keys add to its scores, matching by
similarity and the means of merged tokens, and from the last layer on all that makes labels or keypoints. Ops that only
move values take the type that needs the fewest bytes and no rounding: float32 if they carry a float32 result to a
float32 reader.

Inputs and outputs keep the types of the contract.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from segpp_deploy.graph.precision.casts import change_types, is_always_float
from segpp_deploy.graph.precision.layers import Layer, LayerKind, are_scores, constant_behind, find_layers
from segpp_deploy.ops.declaration import DOMAIN

LARGEST_HALF = float(np.finfo(np.float16).max)

_HALF_OPS = frozenset({"Conv", "Gelu", "Add", "Mul", "AveragePool", "Relu", "Resize"})
_LAYOUT_OPS = frozenset(
    {"Concat", "Expand", "Flatten", "Gather", "GatherND", "Identity", "Reshape", "Slice", "Split", "Squeeze"}
    | {"Transpose", "Unsqueeze"}
)
_HALF_PLUGINS = frozenset({"TokenMatch", "TokenMatchMerge", "TokenMerge", "TokenMergeWithSize", "TokenUnmerge"})
_FLOAT, _HALF = ir.DataType.FLOAT, ir.DataType.FLOAT16


@dataclass(frozen=True)
class HalfResult:
    """What `to_fp16` made.

    Args:
        model: the model that was given, rewritten.
        kept_fp32: layers and tensors that are in float32 against the recipe, because the caller named them or because
            their constants exceed the range of fp16.
        unknown: names the caller gave that the graph has neither as a layer nor as a tensor.
    """

    model: ir.Model
    kept_fp32: tuple[str, ...]
    unknown: tuple[str, ...]


def to_fp16(model: ir.Model, keep_fp32: Collection[str] = ()) -> HalfResult:
    """Rewrite a float32 export of either lowering to fp16, in place.

    Args:
        model: with shapes and types, as `export` writes it.
        keep_fp32: names of layers that must compute in float32, and of tensors that must never be rounded to fp16.
    """
    choice = _Choice(model)
    names = {value.name for node in model.graph for value in node.outputs} | {v.name for v in model.graph.inputs}
    layers = {layer.name for layer in choice.layers}
    wanted = sorted(set(keep_fp32))
    too_large = layers_beyond_half(choice.layers)
    for layer in choice.layers:
        if layer.name in wanted or layer.name in too_large:
            choice.keep_layer(layer)
    choice.keep_tensors({name for name in wanted if name in names})
    change_types(model, choice.types())
    kept = sorted({*too_large, *(name for name in wanted if name in names or name in layers)})
    return HalfResult(model, tuple(kept), tuple(name for name in wanted if name not in names | layers))


def is_halved(layer: Layer) -> bool:
    """Whether the recipe has a layer in fp16: each but the last, whose results decide what a pixel shows."""
    return layer.kind is not LayerKind.HEAD_PREDICT


def layers_beyond_half(layers: Iterable[Layer]) -> tuple[str, ...]:
    """Return the names of layers with a constant that fp16 cannot hold: `to_fp16` leaves them in float32."""
    return tuple(layer.name for layer in layers if is_halved(layer) and any(map(_exceeds_half, _constants_of(layer))))


class _Choice:
    """The type each node computes in."""

    def __init__(self, model: ir.Model) -> None:
        self._nodes = [node for node in model.graph if _is_float_node(node)]
        self._outputs = set(model.graph.outputs)
        self.layers = find_layers(model)
        self._weighted = {layer.node for layer in self.layers}
        # Before the first layer lies the image's normalisation, behind the last what makes labels of its results.
        self._float = {node for node in self._nodes if not self._may_be_half(node)}
        self._float |= set(self._nodes) - _reached_from(layer.node for layer in self.layers if is_halved(layer))
        self._float |= _reached_from(layer.node for layer in self.layers if not is_halved(layer))

    def keep_layer(self, layer: Layer) -> None:
        """Compute a layer in float32, the bias included."""
        self._float |= set(_nodes_of(layer))

    def keep_tensors(self, names: Collection[str]) -> None:
        """Never round these tensors to fp16: who makes them and who reads them computes in float32."""
        pending = [value for node in self._nodes for value in _float_values(node) if value.name in names]
        seen = set(pending)
        while pending:
            value = pending.pop()
            around = [node for node, _ in value.uses()]
            if (producer := value.producer()) is not None:
                around.append(producer)
            self._float.update(around)
            for node in around:
                if node.op_type in _LAYOUT_OPS:  # the same values under another name
                    pending.extend(other for other in _float_values(node) if other not in seen)
                    seen.update(_float_values(node))

    def types(self) -> dict[ir.Node, ir.DataType]:
        """Return the type of every node that handles floats."""
        readers = self._layouts_read_in_float()
        types: dict[ir.Node, ir.DataType] = {}
        for node in self._nodes:
            in_float = node in self._float
            if not in_float and node.op_type in _LAYOUT_OPS:
                in_float = node in readers and any(_is_wide(value, types) for value in node.inputs)
            types[node] = _FLOAT if in_float else _HALF
        return types

    def _layouts_read_in_float(self) -> set[ir.Node]:
        """Return the layout ops whose values reach a float32 reader unchanged."""
        found: set[ir.Node] = set()
        for node in reversed(self._nodes):
            if node.op_type in _LAYOUT_OPS:
                users = [use.node for value in node.outputs for use in value.uses()]
                if any(user in (found if user.op_type in _LAYOUT_OPS else self._float) for user in users):
                    found.add(node)
        return found

    def _may_be_half(self, node: ir.Node) -> bool:
        if any(value in self._outputs for value in node.outputs):
            return False
        if node.domain == DOMAIN:
            return node.op_type in _HALF_PLUGINS
        if node.op_type == "MatMul":
            return node in self._weighted or _is_attention_product(node)
        if node.op_type == "Add" and are_scores(node.outputs[0]):
            return False
        return node.op_type in _HALF_OPS | _LAYOUT_OPS


def _is_float_node(node: ir.Node) -> bool:
    return any(True for _ in _float_values(node))


def _float_values(node: ir.Node) -> Iterable[ir.Value]:
    """Yield the float32 activations around a node."""
    for value in (*node.inputs, *node.outputs):
        if value is not None and value.dtype == _FLOAT and not value.is_initializer():
            yield value


def _is_wide(value: ir.Value | None, types: Mapping[ir.Node, ir.DataType]) -> bool:
    """Whether an activation is float32 once the nodes before it have their types."""
    if value is None or value.dtype != _FLOAT or value.is_initializer():
        return False
    producer = value.producer()
    return producer is None or types[producer] == _FLOAT or is_always_float(value)


def _is_attention_product(node: ir.Node) -> bool:
    makers = [value.producer() for value in node.inputs if value is not None]
    return are_scores(node.outputs[0]) or any(maker is not None and maker.op_type == "Softmax" for maker in makers)


def _reached_from(start: Iterable[ir.Node]) -> set[ir.Node]:
    """Return `start` and all that follows."""
    found = set(start)
    pending = list(found)
    while pending:
        for value in pending.pop().outputs:
            new = {use.node for use in value.uses()} - found
            found |= new
            pending.extend(new)
    return found


def _nodes_of(layer: Layer) -> Iterable[ir.Node]:
    yield layer.node
    bias = layer.output.producer()
    if bias is not None:
        yield bias


def _constants_of(layer: Layer) -> Iterable[ir.Value]:
    for node in _nodes_of(layer):
        for value in node.inputs:
            constant = constant_behind(value)
            if constant is not None and constant.dtype == _FLOAT:
                yield constant


def _exceeds_half(constant: ir.Value) -> bool:
    assert constant.const_value is not None
    values = constant.const_value.numpy()
    return bool(values.size) and not float(np.abs(values).max()) <= LARGEST_HALF
