"""Attention of one head in half precision as attention of several; the function stays the same.

TensorRT computes scores, softmax and sums in one kernel, but not where there is one head, as in the first stage:
TensorRT-RTX 1.7 then moves the scores through memory (benchmarks/measure/rtx_kernels.py). Blocks of queries do not know
of each other, so they can stand as heads that share keys and values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from segpp_deploy.ops.portable.writer import NodeWriter

MOST_BLOCKS = 16
"""Keys and values are repeated for each block, which is to cost little."""


class QueryBlocksAsHeads(ir.passes.InPlacePass):
    """Rewrite MatMul -> Softmax -> MatMul with one head, casts and sizes of keys between them or not."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite each that is there."""
        found = [attention for node in model.graph if (attention := _find(node)) is not None]
        for attention in found:
            _rewrite(model.graph, attention)
        return ir.passes.PassResult(model, modified=bool(found))


@dataclass(frozen=True)
class _Attention:
    """Attention of one head.

    Args:
        scores: the product of queries [B, 1, M, c] and keys [B, 1, c, M'].
        between: what makes shares [B, 1, M, M'] of scores.
        sums: the product of shares and values [B, 1, M', c].
        blocks: how many blocks the queries are cut into.
    """

    scores: ir.Node
    between: tuple[ir.Node, ...]
    sums: ir.Node
    blocks: int


def _find(node: ir.Node) -> _Attention | None:
    if node.op_type != "Softmax":
        return None
    before, after = _walk_up(node), _walk_down(node)
    if before is None or after is None:
        return None
    scores, sums = before[0], after[-1]
    query = scores.inputs[0]
    if query is None or query.dtype is not ir.DataType.FLOAT16 or query.shape is None or len(query.shape) != 4:
        return None
    heads, rows = query.shape[1], query.shape[2]
    if heads != 1 or not isinstance(rows, int):
        return None
    blocks = next((count for count in range(2, MOST_BLOCKS + 1) if rows % count == 0), None)
    return None if blocks is None else _Attention(scores, (*before[1:], *after[:-1]), sums, blocks)


def _walk_up(softmax: ir.Node) -> list[ir.Node] | None:
    """Return the product of queries and keys, and what follows it, up to the softmax."""
    nodes = [softmax]
    while nodes[0].op_type in ("Softmax", "Cast", "Add"):
        value = nodes[0].inputs[0]
        maker = None if value is None else value.producer()
        if maker is None or len(tuple(maker.outputs[0].uses())) != 1:
            return None
        nodes.insert(0, maker)
    return nodes if nodes[0].op_type == "MatMul" else None


def _walk_down(softmax: ir.Node) -> list[ir.Node] | None:
    """Return what follows the softmax, up to the product with values."""
    nodes, value = list[ir.Node](), softmax.outputs[0]
    while not nodes or nodes[-1].op_type == "Cast":
        uses = tuple(value.uses())
        if len(uses) != 1 or uses[0].idx != 0:
            return None
        nodes.append(uses[0].node)
        value = nodes[-1].outputs[0]
    return nodes if nodes[-1].op_type == "MatMul" else None


def _rewrite(graph: ir.Graph, attention: _Attention) -> None:
    scores, sums, blocks = attention.scores, attention.sums, attention.blocks
    query, mixed = scores.inputs[0], sums.outputs[0]
    assert query is not None
    assert query.shape is not None
    batch, _, rows, channels = query.shape
    assert isinstance(rows, int)
    assert isinstance(channels, int)
    name = f"{scores.outputs[0].name}.blocks"
    before, beside, after = (NodeWriter(f"{name}_{place}", scores) for place in ("of_queries", "of_values", "joined"))
    split = before.constant([0, blocks, rows // blocks, channels], np.int64)
    scores.replace_input_with(0, before.op("Reshape", query, split))
    scores.replace_input_with(1, _repeat(before, scores.inputs[1], blocks))
    sums.replace_input_with(1, _repeat(beside, sums.inputs[1], blocks))
    for node in (scores, *attention.between, sums):
        shape = node.outputs[0].shape
        assert shape is not None
        node.outputs[0].shape = ir.Shape([batch, blocks, rows // blocks, shape[3]])
    joined = after.op("Reshape", mixed, after.constant([0, 1, rows, channels], np.int64))
    joined.type, joined.shape = mixed.type, ir.Shape([batch, 1, rows, channels])
    ir.convenience.replace_all_uses_with(mixed, joined)
    after.nodes[-1].replace_input_with(0, mixed)
    for writer in (before, beside, after):
        for initializer in writer.initializers:
            graph.register_initializer(initializer)
    graph.insert_before(scores, before.nodes)
    graph.insert_before(sums, beside.nodes)
    graph.insert_after(sums, after.nodes)


def _repeat(write: NodeWriter, value: ir.Value | None, blocks: int) -> ir.Value:
    assert value is not None
    assert value.shape is not None
    repeated = write.op("Expand", value, write.constant([1, blocks, 1, 1], np.int64))
    repeated.type, repeated.shape = value.type, ir.Shape([value.shape[0], blocks, *value.shape[2:]])
    return repeated
