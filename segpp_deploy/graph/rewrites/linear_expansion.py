"""The feed-forward's first 1x1 convolution as a linear layer on tokens; the function stays the same up to rounding.

On a CPU whose widest vectors are AVX2's, OpenVINO 2026.4 joins a 1x1 convolution and the depthwise one behind it where
their results are large, and takes longer than for the two apart. It joins no matrix product.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import onnx_ir as ir

from segpp_deploy.graph.rewrites.channels_last import CHANNELS_FIRST
from segpp_deploy.ops.portable.writer import NodeWriter


class ExpandAsLinear(ir.passes.InPlacePass):
    """Rewrite Reshape -> Transpose -> 1x1 Conv -> depthwise Conv; `GridsChannelsLast` makes the first two."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite each that is there."""
        found = [(node, tokens) for node in model.graph if (tokens := _tokens_before(node)) is not None]
        for conv, tokens in found:
            _rewrite(model.graph, conv, tokens)
        return ir.passes.PassResult(model, modified=bool(found))


def _tokens_before(conv: ir.Node) -> ir.Value | None:
    """Return the tokens [B, N, C] whose planes `conv` expands."""
    if conv.op_type != "Conv" or len(conv.inputs) != 3 or not _is_expansion(conv):
        return None
    transpose = None if conv.inputs[0] is None else conv.inputs[0].producer()
    if transpose is None or transpose.op_type != "Transpose" or transpose.inputs[0] is None:
        return None
    reshape = transpose.inputs[0].producer()
    if reshape is None or reshape.op_type != "Reshape" or reshape.inputs[0] is None or reshape.inputs[0].shape is None:
        return None
    is_picture = list(transpose.attributes["perm"].as_ints()) == CHANNELS_FIRST
    return reshape.inputs[0] if is_picture and len(reshape.inputs[0].shape) == 3 else None


def _is_expansion(conv: ir.Node) -> bool:
    weight, uses = conv.inputs[1], tuple(conv.outputs[0].uses())
    if weight is None or weight.const_value is None or list(weight.const_value.shape)[2:] != [1, 1] or len(uses) != 1:
        return False
    depthwise = uses[0].node
    return (
        depthwise.op_type == "Conv" and "group" in depthwise.attributes and depthwise.attributes["group"].as_int() > 1
    )


def _rewrite(graph: ir.Graph, conv: ir.Node, tokens: ir.Value) -> None:
    hidden, weight = conv.outputs[0], conv.inputs[1]
    assert hidden.shape is not None
    assert weight is not None
    assert weight.const_value is not None
    channels, height, width = cast("tuple[int, int, int]", tuple(hidden.shape)[1:])  # only the batch is ever dynamic
    write = NodeWriter(f"{hidden.name}.linear", conv)
    product = write.op("MatMul", tokens, write.constant(weight.const_value.numpy()[:, :, 0, 0].T, np.float32))
    biased = write.op("Add", product, conv.inputs[2])
    pictures = write.op("Reshape", biased, write.constant([0, height, width, channels], np.int64))
    write.replace(graph, conv, [write.op("Transpose", pictures, perm=CHANNELS_FIRST)])
