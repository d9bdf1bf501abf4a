"""The sizes of weighted keys as one more channel of the attention product; the function stays the same.

The export adds log n to the scores, which ONNX Runtime does in a pass of its own over all of them. Where queries have
one more channel, always 1, and keys have log n in it, the product is the sum. The 1 comes from the query's linear
layer, so that only the few keys are touched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from segpp_deploy.graph.precision.layers import are_scores
from segpp_deploy.ops.portable.writer import NodeWriter

_HEADS_FIRST = [0, 2, 1, 3]


class SizesAsChannel(ir.passes.InPlacePass):
    """Rewrite MatMul -> Add -> Softmax where the query's linear layer is float32 and its shape is static."""

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite each that is there."""
        found = [scores for node in model.graph if (scores := _find(node)) is not None]
        for scores in found:
            _rewrite(model.graph, scores)
        return ir.passes.PassResult(model, modified=bool(found))


@dataclass(frozen=True)
class _WeightedScores:
    """Scores with sizes added.

    Args:
        addition: of scores and sizes.
        sizes: [B, 1, 1, M'].
        key: [B, h, c, M'].
        tokens: what queries are made of.
        weight: of the query's linear layer, [C, h * c].
        bias: [h * c].
        shape: what the queries are reshaped to, [B, M, h, c].
    """

    addition: ir.Node
    sizes: ir.Value
    key: ir.Value
    tokens: ir.Value
    weight: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    shape: list[int]


def _find(node: ir.Node) -> _WeightedScores | None:
    if node.op_type != "Add" or not are_scores(node.outputs[0]):
        return None
    product, sizes = _maker(node.inputs[0], "MatMul"), node.inputs[1]
    transpose = None if product is None else _maker(product.inputs[0], "Transpose")
    split = None if transpose is None else _maker(transpose.inputs[0], "Reshape")
    biased = None if split is None else _maker(split.inputs[0], "Add")
    linear = None if biased is None else _maker(biased.inputs[0], "MatMul")
    if product is None or transpose is None or split is None or biased is None or linear is None:
        return None
    weight, bias, shape = (_constant(step.inputs[1]) for step in (linear, biased, split))
    key, tokens = product.inputs[1], linear.inputs[0]
    if weight is None or bias is None or shape is None or list(transpose.attributes["perm"].as_ints()) != _HEADS_FIRST:
        return None
    if sizes is None or key is None or tokens is None or not _same_batch(sizes, key):
        return None
    return _WeightedScores(node, sizes, key, tokens, weight, bias, [int(side) for side in shape])


def _maker(value: ir.Value | None, op_type: str) -> ir.Node | None:
    """Return the node that makes `value` for one reader."""
    node = None if value is None else value.producer()
    is_it = node is not None and node.op_type == op_type and len(tuple(node.outputs[0].uses())) == 1
    return node if is_it else None


def _constant(value: ir.Value | None) -> npt.NDArray[np.float32] | None:
    return None if value is None or value.const_value is None else value.const_value.numpy()


def _same_batch(one: ir.Value, other: ir.Value) -> bool:
    return one.shape is not None and other.shape is not None and one.shape[0] == other.shape[0]


def _rewrite(graph: ir.Graph, scores: _WeightedScores) -> None:
    added = scores.addition.outputs[0]
    *outer, heads, channels = scores.shape
    write = NodeWriter(f"{added.name}.channel", scores.addition)
    query = write.op("MatMul", scores.tokens, write.constant(_append(scores.weight, heads, 0.0), np.float32))
    query = write.op("Add", query, write.constant(_append(scores.bias, heads, 1.0), np.float32))
    query = write.op("Reshape", query, write.constant([*outer, heads, channels + 1], np.int64))
    query = write.op("Transpose", query, perm=_HEADS_FIRST)
    sizes = scores.sizes if heads == 1 else write.op("Concat", *[scores.sizes] * heads, axis=1)
    product = write.op("MatMul", query, write.op("Concat", scores.key, sizes, axis=2))
    for initializer in write.initializers:
        graph.register_initializer(initializer)
    graph.insert_after(scores.addition, write.nodes)
    ir.convenience.replace_all_uses_with(added, product)


def _append(values: npt.NDArray[np.float32], heads: int, value: float) -> npt.NDArray[np.float32]:
    """Give each head's channels, on the last axis, one more."""
    split = values.reshape(*values.shape[:-1], heads, -1)
    last = np.full((*split.shape[:-1], 1), value, np.float32)
    return np.concatenate([split, last], axis=-1).reshape(*values.shape[:-1], -1)
