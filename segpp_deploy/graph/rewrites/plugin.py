"""The form of a graph with custom nodes that TensorRT takes; to ONNX it is the same function."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir import convenience
from onnx_ir.passes import common as passes

from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.ops.node_names import name_beside


class CastUint8OfPlugins(ir.passes.InPlacePass):
    """Put a cast to uint8 behind every uint8 output of a custom node.

    TensorRT takes no uint8 from a plugin, and lets only a cast make a uint8 output of the network. So the plugin gives
    float16 (`plugins/tensorrt/tensor_types.h`) and this cast, which changes nothing in ONNX, makes the bytes.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Add the casts; each takes over the name of the tensor that it replaces."""
        custom = [node for node in model.graph if node.domain == DOMAIN]
        given = [value for node in custom for value in node.outputs if value.dtype == ir.DataType.UINT8]
        for value in given:
            _append_cast(model.graph, value)
        return ir.passes.PassResult(model, modified=bool(given))


def rewrite_for_plugins(model: ir.Model) -> ir.Model:
    """Rewrite `model` in place and infer the shapes of the new tensors."""
    return ir.passes.Sequential(CastUint8OfPlugins(), passes.ShapeInferencePass())(model).model


def _append_cast(graph: ir.Graph, given: ir.Value) -> None:
    maker = given.producer()
    assert maker is not None
    name = name_beside(maker.name, f"{given.name}.bytes")
    cast = ir.node("Cast", [given], {"to": ir.DataType.UINT8.value}, name=name)
    result = cast.outputs[0]
    result.name, given.name = given.name, f"{given.name}_of_plugin"
    result.type, result.shape = given.type, given.shape
    convenience.replace_all_uses_with(given, result, replace_graph_outputs=True)
    cast.replace_input_with(0, given)
    graph.insert_after(maker, cast)
