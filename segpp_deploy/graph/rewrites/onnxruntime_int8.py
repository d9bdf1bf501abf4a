"""The form of an int8 graph that ONNX Runtime computes in int8 on a CPU; the function stays the same.

ONNX Runtime turns pairs of QuantizeLinear and DequantizeLinear around a convolution into one integer convolution, but

* a linear layer's product and bias become a float `Gemm` before it looks for pairs, so products are written here as
  what they should become, `MatMulIntegerToFloat`;
* x86 CPUs multiply unsigned by signed bytes, so activations are shifted by 128 to uint8: the same values;
* what a ReLU puts out has no negative half, so its 255 steps all go to the positive one: finer, and ONNX Runtime then
  makes the ReLU part of the convolution before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from segpp_deploy.graph.precision.layers import bias_behind
from segpp_deploy.graph.rewrites.quantized_layout import LAYOUT_OPS, dequantize_of
from segpp_deploy.ops.node_names import name_beside
from segpp_deploy.ops.portable.writer import NodeWriter

RUNTIME_DOMAIN = "com.microsoft"
_SIGNED_ZERO = 128
_SIGNED_STEPS, _UNSIGNED_STEPS = 127, 255


class UnsignedActivations(ir.passes.InPlacePass):
    """Shift int8 activations to uint8; give those behind a ReLU the whole range, and drop the pair before the ReLU."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite every pair whose value is not constant."""
        graph = model.graph
        pairs = [node for node in graph if node.op_type == "QuantizeLinear"]
        for quantize in pairs:
            if _feeds_only_relu(quantize):
                _drop_pair(graph, quantize)
            else:
                _shift(graph, quantize)
        return ir.passes.PassResult(model, modified=bool(pairs))


class IntegerProducts(ir.passes.InPlacePass):
    """Write a product of dequantised activations and weights, with its bias, as one integer product."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite every such `MatMul`."""
        products = [product for node in model.graph if (product := _as_integer_product(node)) is not None]
        for product in products:
            _write_product(model.graph, product)
        if products:
            model.opset_imports[RUNTIME_DOMAIN] = 1
        return ir.passes.PassResult(model, modified=bool(products))


@dataclass(frozen=True)
class _Product:
    """A MatMul of two dequantised tensors, and the addition of a constant vector behind it, if there is one."""

    node: ir.Node
    activations: ir.Node
    weights: ir.Node
    add: ir.Node | None
    bias: ir.Value | None

    @property
    def end(self) -> ir.Node:
        return self.add or self.node


def _as_integer_product(node: ir.Node) -> _Product | None:
    if node.op_type != "MatMul":
        return None
    sources = [value.producer() for value in node.inputs if value is not None]
    if len(sources) != 2 or any(source is None or source.op_type != "DequantizeLinear" for source in sources):
        return None
    activations, weights = sources
    assert activations is not None
    assert weights is not None
    stored = weights.inputs[0]
    if stored is None or not stored.is_initializer():
        return None
    add, bias = bias_behind(node.outputs[0]) or (None, None)
    if bias is not None and not bias.is_initializer():  # a cast one stays an addition
        add, bias = None, None
    return _Product(node, activations, weights, add, bias)


def _write_product(graph: ir.Graph, product: _Product) -> None:
    values, scale, zero = product.activations.inputs
    stored, weight_scales, weight_zeros = product.weights.inputs
    old = product.end.outputs[0]
    name = f"{old.name}.int8"
    node = ir.node(
        "MatMulIntegerToFloat",
        [values, stored, scale, weight_scales, zero, weight_zeros, product.bias],
        domain=RUNTIME_DOMAIN,
        name=name_beside(product.node.name, name),
        outputs=[ir.Value(name=name, type=old.type, shape=old.shape)],
    )
    graph.insert_after(product.end, node)
    ir.convenience.replace_all_uses_with(old, node.outputs[0], replace_graph_outputs=True)


def _feeds_only_relu(quantize: ir.Node) -> bool:
    restored = dequantize_of(quantize).outputs[0]
    return all(use.node.op_type == "Relu" for use in restored.uses()) and not restored.is_graph_output()


def _drop_pair(graph: ir.Graph, quantize: ir.Node) -> None:
    """A ReLU follows, whose result is quantised anyway."""
    value, dequantize = quantize.inputs[0], dequantize_of(quantize)
    assert value is not None
    ir.convenience.replace_all_uses_with(dequantize.outputs[0], value)
    graph.remove(dequantize, safe=True)
    graph.remove(quantize, safe=True)


def _shift(graph: ir.Graph, quantize: ir.Node) -> None:
    write = NodeWriter(f"{quantize.outputs[0].name}.unsigned", quantize)
    scale = quantize.inputs[1]
    assert scale is not None
    assert scale.const_value is not None
    zero = _SIGNED_ZERO
    if _is_behind_relu(quantize):
        zero = 0
        old = scale.const_value.numpy()
        scale = write.constant(old * _SIGNED_STEPS / _UNSIGNED_STEPS, old.dtype.type)
    zero_point = write.constant(zero, np.uint8)
    for initializer in write.initializers:
        graph.register_initializer(initializer)
    for node in (quantize, dequantize_of(quantize)):
        node.replace_input_with(1, scale)
        node.replace_input_with(2, zero_point)
    quantize.outputs[0].dtype = ir.DataType.UINT8


def _is_behind_relu(quantize: ir.Node) -> bool:
    value = quantize.inputs[0]
    node = None if value is None else value.producer()
    while node is not None and node.op_type in LAYOUT_OPS:
        node = None if node.inputs[0] is None else node.inputs[0].producer()
    return node is not None and node.op_type == "Relu"
