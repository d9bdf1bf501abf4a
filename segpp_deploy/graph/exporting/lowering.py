"""From custom nodes to standard ONNX ops: the plugin graph is what export writes first, the portable one is derived."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir import convenience
from onnx_ir.passes import common as passes

from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.ops.portable.registry import LOWERINGS
from segpp_deploy.ops.portable.writer import Matches, NodeWriter


class LowerToPortable(ir.passes.InPlacePass):
    """Replace every `segpp::*` node by its portable body, inlined.

    Afterwards the graph holds standard ops only and the opset import of `segpp` is gone. Tensors outside the bodies
    keep their names, so that calibration ranges carry over between the lowerings.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Lower all custom nodes of the main graph."""
        graph = model.graph
        matches: Matches = {}
        lowered = 0
        for node in list(graph):
            if node.domain != DOMAIN:
                continue
            writer = NodeWriter(prefix=node.outputs[0].name or node.op_type)
            replacement = LOWERINGS[node.op_type](writer, node, matches)
            for initializer in writer.initializers:
                graph.register_initializer(initializer)
            _replace(graph, node, writer, replacement)
            lowered += 1
        model.opset_imports.pop(DOMAIN, None)
        return ir.passes.PassResult(model, modified=lowered > 0)

    def ensures(self, model: ir.Model) -> None:
        """No custom node is left."""
        left = {node.op_type for node in model.graph if node.domain == DOMAIN}
        if left:
            raise ir.passes.PostconditionError(f"not lowered: {sorted(left)}")


def lower_to_portable(model: ir.Model) -> ir.Model:
    """Lower `model` in place, remove what became unused, and infer the shapes of the new tensors."""
    pipeline = ir.passes.Sequential(
        LowerToPortable(),
        passes.RemoveUnusedNodesPass(),
        passes.DeduplicateInitializersPass(),
        passes.ShapeInferencePass(),
    )
    return pipeline(model).model


def _replace(graph: ir.Graph, node: ir.Node, writer: NodeWriter, replacement: ir.Value) -> None:
    """Put the written nodes in the place of `node`; the replacement takes over the old value's name."""
    old = node.outputs[0]
    replacement.name, old.name = old.name, None
    replacement.type = replacement.type or old.type
    replacement.shape = old.shape
    graph.insert_after(node, writer.nodes)
    convenience.replace_all_uses_with(old, replacement, replace_graph_outputs=True)
    graph.remove(node, safe=True)
