"""Changes between tokens and planes through pictures with the channels last; the function stays the same, bit by bit.

The export transposes tokens [B, N, C] to [B, C, N] and cuts those into planes [B, C, h, w]. OpenVINO's convolutions
want the channels last, where tokens lie already, but it looks for such a form only right before a convolution: it moves
every value once to make planes and once more to make pictures of them. As pictures [B, h, w, C] first, nothing moves.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import onnx_ir as ir

from segpp_deploy.ops.portable.writer import NodeWriter

CHANNELS_FIRST = [0, 3, 1, 2]
CHANNELS_LAST = [0, 2, 3, 1]
_SWAPPED = [0, 2, 1]


class GridsChannelsLast(ir.passes.InPlacePass):
    """Rewrite Transpose -> Reshape to planes, and Reshape -> Transpose to tokens."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite each that is there."""
        rewritten = 0
        for node in model.graph:  # one by one: after pooling, the end of one pair may begin another
            steps = _steps_from(node)
            if steps is not None:
                _rewrite(model.graph, *steps)
                rewritten += 1
        return ir.passes.PassResult(model, modified=rewritten > 0)


def _steps_from(first: ir.Node) -> tuple[ir.Node, ir.Node] | None:
    """Return `first` and the only node behind it, if they change tokens to planes or planes to tokens."""
    if first.op_type not in ("Reshape", "Transpose"):
        return None
    uses = tuple(first.outputs[0].uses())
    if len(uses) != 1 or uses[0].idx != 0 or first.outputs[0].is_graph_output():
        return None
    second = uses[0].node
    tokens, planes = (first.inputs[0], second.outputs[0]) if is_swap(first) else (second.outputs[0], first.inputs[0])
    if {first.op_type, second.op_type} != {"Reshape", "Transpose"} or not (is_swap(first) or is_swap(second)):
        return None
    return (first, second) if _are_tokens_of(planes, tokens) else None


def is_swap(node: ir.Node) -> bool:
    """Whether `node` swaps the last two of three axes."""
    return node.op_type == "Transpose" and list(node.attributes["perm"].as_ints()) == _SWAPPED


def _are_tokens_of(planes: ir.Value | None, tokens: ir.Value | None) -> bool:
    """Whether the shapes are [B, C, h, w] and [B, h * w, C]; only the batch is ever dynamic."""
    if planes is None or planes.shape is None or tokens is None or tokens.shape is None:
        return False
    if len(planes.shape) != 4 or len(tokens.shape) != 3:
        return False
    batch, channels, height, width = planes.shape
    if not isinstance(height, int) or not isinstance(width, int):
        return False
    return list(tokens.shape) == [batch, height * width, channels]


def _rewrite(graph: ir.Graph, first: ir.Node, second: ir.Node) -> None:
    source, result = first.inputs[0], second.outputs[0]
    assert result.shape is not None
    sides = cast("tuple[int, ...]", tuple(result.shape)[1:])
    write = NodeWriter(f"{result.name}.channels_last", first)
    if is_swap(first):
        channels, *grid = sides
        pictures = write.op("Reshape", source, write.constant([0, *grid, channels], np.int64))
        changed = write.op("Transpose", pictures, perm=CHANNELS_FIRST)
    else:
        pictures = write.op("Transpose", source, perm=CHANNELS_LAST)
        changed = write.op("Reshape", pictures, write.constant([0, *sides], np.int64))
    write.replace(graph, second, [changed])
    graph.remove(first, safe=True)
