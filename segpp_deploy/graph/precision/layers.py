"""The layers of an exported graph by name: what precision is chosen for, and what a range file speaks of.

Convolutions are named after their weights. The weights of linear layers are anonymous (transposed) constants in ONNX,
and their biases are no help: equal ones are merged by the portable lowering, zero ones are dropped by the exporter. So
linear layers are named after the part they play around the softmax or the GELU, and after the feed-forward of the same
encoder layer, which holds a convolution in every export.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import onnx_ir as ir

from segpp_deploy.config import Choice

MODEL_PREFIX = "model."
_FEED_FORWARD = ".feed_forward."
_SAME_VALUES = frozenset({"Cast", "DequantizeLinear", "Identity", "QuantizeLinear", "Reshape", "Transpose"})
_ELEMENTWISE = frozenset({"Add", "Mul"})


class LayerKind(Choice):
    """The part a layer plays in the network."""

    PATCH_EMBED = "patch_embed"
    REDUCTION = "reduction"
    QUERY = "query"
    KEY = "key"
    VALUE = "value"
    OUTPUT = "output"
    EXPAND = "expand"
    DEPTHWISE = "depthwise"
    PROJECT = "project"
    HEAD_STAGE = "head_stage"
    HEAD_FUSION = "head_fusion"
    HEAD_PREDICT = "head_predict"
    OTHER = "other"


_PATH_KINDS: tuple[tuple[re.Pattern[str], LayerKind], ...] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"encoder\.stages\.\d+\.patch_embed\.", LayerKind.PATCH_EMBED),
        (r"encoder\.stages\.\d+\.layers\.\d+\.attention\.reduction$", LayerKind.REDUCTION),
        (r"encoder\.stages\.\d+\.layers\.\d+\.feed_forward\.expand$", LayerKind.EXPAND),
        (r"encoder\.stages\.\d+\.layers\.\d+\.feed_forward\.depthwise$", LayerKind.DEPTHWISE),
        (r"encoder\.stages\.\d+\.layers\.\d+\.feed_forward\.project$", LayerKind.PROJECT),
        (r"head\.(stages|stage_projections)\.\d+", LayerKind.HEAD_STAGE),
        (r"head\.fusion\.", LayerKind.HEAD_FUSION),
        (r"head\.predict$", LayerKind.HEAD_PREDICT),
    )
)
_ATTENTION_KINDS = frozenset({LayerKind.QUERY, LayerKind.KEY, LayerKind.VALUE, LayerKind.OUTPUT})


@dataclass(frozen=True)
class Layer:
    """A convolution, or a matrix product with constant weights.

    Args:
        name: the module's path, such as `encoder.stages.0.layers.0.attention.query`; equal in both lowerings.
        kind: the part it plays.
        node: the `Conv` or `MatMul`.
        input: the activations it reads.
        weight: Conv [C', C, kh, kw] or MatMul [C, C']; an initializer, or what a quantised one dequantises to.
        output: the activations it makes, bias included.
    """

    name: str
    kind: LayerKind
    node: ir.Node
    input: ir.Value
    weight: ir.Value
    output: ir.Value

    @property
    def dtype(self) -> ir.DataType | None:
        """The type it computes in (of its inputs; a quantised layer's are dequantised)."""
        return self.weight.dtype

    @property
    def output_axis(self) -> int:
        """The axis of the weight that counts output channels."""
        return 0 if self.node.op_type == "Conv" else 1


def find_layers(model: ir.Model) -> tuple[Layer, ...]:
    """Return every convolution and linear layer of the main graph, in graph order.

    Works on exports of either lowering, folded or not, and on what `to_fp16` and `quantize` make of them.
    """
    found: list[Layer] = []
    unplaced: list[int] = []
    layer_path = ""  # of the encoder layer that the last feed-forward convolution belongs to
    for node in model.graph:
        layer = _as_layer(node)
        if layer is None:
            continue
        if layer.kind in (LayerKind.EXPAND, LayerKind.DEPTHWISE) and _FEED_FORWARD in layer.name:
            layer_path = layer.name.partition(_FEED_FORWARD)[0]
            for index in unplaced:
                found[index] = _place(found[index], layer_path)
            unplaced.clear()
        elif layer.node.op_type == "MatMul" and layer.kind is LayerKind.PROJECT:
            layer = _place(layer, layer_path)
        elif layer.node.op_type == "MatMul" and layer.kind is not LayerKind.OTHER:
            unplaced.append(len(found))
        found.append(layer)
    return tuple(found)


def constant_behind(value: ir.Value | None) -> ir.Value | None:
    """Return the initializer that `value` is, or is cast or dequantised from; None for activations."""
    while value is not None and not value.is_initializer():
        node = value.producer()
        if node is None or node.op_type not in ("DequantizeLinear", "Cast"):
            return None
        value = node.inputs[0]
    return value


def bias_behind(product: ir.Value) -> tuple[ir.Node, ir.Value] | None:
    """Return the addition of a constant vector and that input of it, if it is all that happens to `product`."""
    uses = tuple(product.uses())
    if len(uses) != 1 or uses[0].node.op_type != "Add":
        return None
    added = uses[0].node.inputs[1 - uses[0].idx]
    constant = constant_behind(added)
    if added is None or constant is None or constant.shape is None or len(constant.shape) != 1:
        return None
    return uses[0].node, added


def are_scores(value: ir.Value) -> bool:
    """Whether a softmax reads `value`, at once or after an addition: that of the sizes of weighted keys."""
    return any(
        node.op_type == "Softmax" or (node.op_type == "Add" and _feeds_softmax(node)) for node, _ in _consumers(value)
    )


def tensor_name(value: ir.Value) -> str:
    """Return the name a tensor has in the fp32 export: that of the value before the casts and the Q/DQ pairs."""
    while (node := value.producer()) is not None and node.op_type in ("Cast", "QuantizeLinear", "DequantizeLinear"):
        source = node.inputs[0]
        if source is None or (node.op_type == "Cast" and not _is_float(source)):
            break
        value = source
    return value.name or ""


def _is_float(value: ir.Value) -> bool:
    return value.dtype in (ir.DataType.FLOAT, ir.DataType.FLOAT16)


def _as_layer(node: ir.Node) -> Layer | None:
    if node.op_type not in ("Conv", "MatMul"):
        return None
    activations, weight = node.inputs[0], node.inputs[1]
    constant = constant_behind(weight)
    if activations is None or weight is None or constant is None:
        return None
    if node.op_type == "Conv":
        path = re.sub(r"\.weight(\..*)?$", "", constant.name or "").removeprefix(MODEL_PREFIX)
        return Layer(path, _kind_of_path(path), node, activations, weight, node.outputs[0])
    output = _with_bias(node.outputs[0])
    return Layer(output.name or "", _kind_of_linear(activations, output), node, activations, weight, output)


def _kind_of_path(path: str) -> LayerKind:
    return next((kind for pattern, kind in _PATH_KINDS if pattern.match(path)), LayerKind.OTHER)


def _kind_of_linear(activations: ir.Value, output: ir.Value) -> LayerKind:
    source = next(_producers(activations), None)
    if source is not None and source.op_type == "Gelu":
        return LayerKind.PROJECT
    if source is not None and _is_product_with_weights(source):
        return LayerKind.OUTPUT
    for node, position in _consumers(output):
        if node.op_type == "Conv":
            return LayerKind.EXPAND
        if node.op_type == "MatMul" and _is_product_with_weights(node):
            return LayerKind.VALUE
        if node.op_type == "MatMul" and are_scores(node.outputs[0]):
            return LayerKind.QUERY if position == 0 else LayerKind.KEY
    return LayerKind.OTHER


def _feeds_softmax(node: ir.Node) -> bool:
    return any(user.op_type == "Softmax" for user, _ in _consumers(node.outputs[0]))


def _is_product_with_weights(node: ir.Node) -> bool:
    """Whether `node` multiplies attention weights by values."""
    if node.op_type != "MatMul" or node.inputs[0] is None:
        return False
    return any(source.op_type == "Softmax" for source in _producers(node.inputs[0]))


def _with_bias(product: ir.Value) -> ir.Value:
    """Return the sum if all that happens to `product` is that a constant vector is added."""
    addition = bias_behind(product)
    return product if addition is None else addition[0].outputs[0]


def _producers(value: ir.Value) -> Iterator[ir.Node]:
    """Yield the node that made the values of `value`, behind casts, Q/DQ and changes of layout; at most one."""
    node = value.producer()
    while node is not None and node.op_type in _SAME_VALUES:
        source = node.inputs[0]
        node = None if source is None else source.producer()
    if node is not None:
        yield node


def _consumers(value: ir.Value) -> Iterator[tuple[ir.Node, int]]:
    """Yield the nodes that use `value` and at which input, behind casts, Q/DQ, changes of layout and scaling."""
    pending = list(value.uses())
    while pending:
        use = pending.pop()
        passes = use.node.op_type in _SAME_VALUES or _scales(use.node)
        if passes:
            pending.extend(use.node.outputs[0].uses())
        else:
            yield use.node, use.idx


def _scales(node: ir.Node) -> bool:
    return node.op_type in _ELEMENTWISE and any(constant_behind(value) is not None for value in node.inputs)


def _place(layer: Layer, layer_path: str) -> Layer:
    module = "attention" if layer.kind in _ATTENTION_KINDS else _FEED_FORWARD.strip(".")
    return replace(layer, name=f"{layer_path}.{module}.{layer.kind}")
