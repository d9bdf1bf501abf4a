"""From custom nodes to standard ONNX ops: the plugin graph is what export writes first, the portable one is derived."""

from __future__ import annotations

from collections.abc import Container

import onnx_ir as ir
from onnx_ir.passes import common as passes

from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.ops.portable.registry import LOWERINGS
from segpp_deploy.ops.portable.writer import Matches, NodeWriter
from segpp_deploy.ops.registry import WITH_PLUGIN


class LowerToPortable(ir.passes.InPlacePass):
    """Replace `segpp::*` nodes by their portable bodies, inlined.

    Where none is kept, the graph holds standard ops only afterwards and the opset import of `segpp` is gone. Tensors
    outside the bodies keep their names, so that calibration ranges carry over between the lowerings.

    Args:
        keep: names of the ops whose nodes stay.
    """

    def __init__(self, keep: Container[str] = ()) -> None:
        super().__init__()
        self._keep = keep

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Lower the custom nodes of the main graph."""
        graph = model.graph
        matches: Matches = {}
        lowered = 0
        for node in self._nodes_to_lower(model):
            writer = NodeWriter(node.outputs[0].name or node.op_type, node)
            replacements = LOWERINGS[node.op_type](writer, node, matches)
            writer.replace(graph, node, replacements)
            lowered += 1
        if not any(node.domain == DOMAIN for node in graph):
            model.opset_imports.pop(DOMAIN, None)
        return ir.passes.PassResult(model, modified=lowered > 0)

    def ensures(self, model: ir.Model) -> None:
        """No custom node is left but those to keep."""
        left = {node.op_type for node in self._nodes_to_lower(model)}
        if left:
            raise ir.passes.PostconditionError(f"not lowered: {sorted(left)}")

    def _nodes_to_lower(self, model: ir.Model) -> list[ir.Node]:
        return [node for node in model.graph if node.domain == DOMAIN and node.op_type not in self._keep]


def lower_to_portable(model: ir.Model) -> ir.Model:
    """Lower `model` in place, remove what became unused, and infer the shapes of the new tensors."""
    pipeline = ir.passes.Sequential(
        LowerToPortable(),
        passes.RemoveUnusedNodesPass(),
        passes.DeduplicateInitializersPass(),
        passes.ShapeInferencePass(),
    )
    return pipeline(model).model


def lower_without_plugin(model: ir.Model) -> ir.Model:
    """Lower, in place, the ops of `model` that no plugin computes; a model without such ops stays as it is."""
    return LowerToPortable(keep=WITH_PLUGIN)(model).model
