"""A match and the merge of the tokens that were matched as one node, where the plugin needs a launch less for both."""

from __future__ import annotations

import onnx_ir as ir

from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.ops.launches import MOST_TOKENS_OF_SELECT_AND_MERGE
from segpp_deploy.ops.node_names import name_beside


class JoinMatchAndMerge(ir.passes.InPlacePass):
    """Put a TokenMatchMerge in the place of a TokenMatch and the first merge of the same tokens by its map."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Join each pair that is there; other readers of the map read it as before."""
        found = [(node, merge) for node in model.graph if (merge := _find_merge(node)) is not None]
        for match, merge in found:
            _join(model.graph, match, merge)
        return ir.passes.PassResult(model, modified=bool(found))


def _find_merge(match: ir.Node) -> ir.Node | None:
    if (match.domain, match.op_type) != (DOMAIN, "TokenMatch"):
        return None
    grid_h, grid_w = (match.attributes[name].as_int() for name in ("grid_h", "grid_w"))
    if grid_h * grid_w > MOST_TOKENS_OF_SELECT_AND_MERGE:
        return None
    for node, index in match.outputs[0].uses():
        is_merge = node.domain == DOMAIN and node.op_type in ("TokenMerge", "TokenMergeWithSize")
        if is_merge and index == 1 and node.inputs[0] is match.inputs[0]:
            return node
    return None


def _join(graph: ir.Graph, match: ir.Node, merge: ir.Node) -> None:
    """Write the node where the match is; its outputs take over the values of both."""
    of_match = (value for name, value in match.attributes.items() if name != "num_removed")
    attributes = [*of_match, merge.attributes["num_rows"]]
    old = [match.outputs[0], *merge.outputs]
    outputs = [ir.Value(type=value.type, shape=value.shape) for value in old]
    if merge.op_type == "TokenMerge":  # the op gives sizes, which nothing reads here
        shape = ir.Shape(merge.outputs[0].shape[:2]) if merge.outputs[0].shape is not None else None
        outputs.append(ir.Value(name=f"{old[1].name}.log_size", type=ir.TensorType(ir.DataType.FLOAT), shape=shape))
    joined = ir.Node(
        DOMAIN,
        "TokenMatchMerge",
        match.inputs,
        attributes,
        outputs=outputs,
        name=name_beside(match.name, f"{old[0].name}.merged"),
    )
    graph.insert_before(match, joined)
    for before, after in zip(old, outputs, strict=False):
        after.name, before.name = before.name, None
        ir.convenience.replace_all_uses_with(before, after, replace_graph_outputs=True)
    graph.remove([merge, match], safe=True)
