"""Where int8 graphs quantise beside changes of layout; the function stays the same.

A pair of QuantizeLinear and DequantizeLinear stands right before the layer that it is for. Between tokens [B, N, C]
and planes [B, C, H, W] that is behind a transposition, so ONNX Runtime would transpose floats, quantise, and transpose
again for its channels-last integer convolutions. With bytes on both sides of the transpositions they cancel. One scale
a tensor commutes with every change of layout. (Not for OpenVINO: see `graph/rewrites/openvino.py`.)
"""

from __future__ import annotations

import onnx_ir as ir

from segpp_deploy.ops.node_names import name_beside

LAYOUT_OPS = frozenset({"Reshape", "Transpose"})


class QuantizeBeforeLayout(ir.passes.InPlacePass):
    """Move pairs in front of changes of layout: x -> Transpose -> pair -> y becomes x -> pair -> Transpose -> y."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Move every pair of activations as far as it goes."""
        moves = 0
        for quantize in [node for node in model.graph if node.op_type == "QuantizeLinear"]:
            while (layout := _layout_before(quantize)) is not None:
                _move_before(model.graph, quantize, layout)
                moves += 1
        return ir.passes.PassResult(model, modified=bool(moves))


class DequantizeBehindLayout(ir.passes.InPlacePass):
    """Let bytes change their layout instead of floats: x -> DequantizeLinear -> Transpose becomes the reverse."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Move every DequantizeLinear of activations as far as it goes."""
        moves = 0
        for dequantize in [node for node in model.graph if node.op_type == "DequantizeLinear"]:
            while (layout := _layout_behind(dequantize)) is not None:
                _move_behind(model.graph, dequantize, layout)
                moves += 1
        return ir.passes.PassResult(model, modified=bool(moves))


def dequantize_of(quantize: ir.Node) -> ir.Node:
    """Return the other half of a pair."""
    (use,) = quantize.outputs[0].uses()
    assert use.node.op_type == "DequantizeLinear"
    return use.node


def _layout_before(quantize: ir.Node) -> ir.Node | None:
    """Return the change of layout whose result goes to this pair alone."""
    value = quantize.inputs[0]
    node = None if value is None else value.producer()
    if node is None or value is None or node.op_type not in LAYOUT_OPS or not _is_per_tensor(quantize):
        return None
    return None if value.is_graph_output() or len(tuple(value.uses())) > 1 else node


def _layout_behind(dequantize: ir.Node) -> ir.Node | None:
    """Return the change of layout that alone takes what is dequantised."""
    stored, restored = dequantize.inputs[0], dequantize.outputs[0]
    uses = tuple(restored.uses())
    if stored is None or stored.is_initializer() or len(uses) != 1 or restored.is_graph_output():
        return None
    return uses[0].node if uses[0].node.op_type in LAYOUT_OPS and _is_per_tensor(dequantize) else None


def _is_per_tensor(node: ir.Node) -> bool:
    scale = node.inputs[1]
    return scale is not None and scale.shape is not None and not scale.shape.dims


def _move_before(graph: ir.Graph, quantize: ir.Node, layout: ir.Node) -> None:
    source, arranged, dequantize = layout.inputs[0], layout.outputs[0], dequantize_of(quantize)
    restored = dequantize.outputs[0]
    moved = _copy(layout, restored, arranged, name=arranged.name)
    ir.convenience.replace_all_uses_with(restored, moved.outputs[0], replace_graph_outputs=True)
    moved.replace_input_with(0, restored)
    quantize.replace_input_with(0, source)
    assert source is not None
    quantize.outputs[0].shape = restored.shape = source.shape
    graph.insert_after(dequantize, moved)
    graph.remove(layout, safe=True)


def _move_behind(graph: ir.Graph, dequantize: ir.Node, layout: ir.Node) -> None:
    stored, restored, arranged = dequantize.inputs[0], dequantize.outputs[0], layout.outputs[0]
    assert stored is not None
    moved = _copy(layout, stored, arranged, name=f"{arranged.name}.bytes")
    ir.convenience.replace_all_uses_with(arranged, restored, replace_graph_outputs=True)
    dequantize.replace_input_with(0, moved.outputs[0])
    restored.shape = arranged.shape
    graph.remove(dequantize)
    graph.insert_after(layout, [moved, dequantize])
    graph.remove(layout, safe=True)


def _copy(layout: ir.Node, source: ir.Value, arranged: ir.Value, name: str | None) -> ir.Node:
    """Return the same change of layout of another value."""
    output = ir.Value(name=name, type=source.type, shape=arranged.shape)
    attributes = {key: attribute.value for key, attribute in layout.attributes.items()}
    node_name = name_beside(layout.name, name)
    return ir.node(layout.op_type, [source, *layout.inputs[1:]], attributes, outputs=[output], name=node_name)
