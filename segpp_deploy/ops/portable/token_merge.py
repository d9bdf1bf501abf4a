"""segpp::TokenMerge in standard ops; `segpp_deploy.ops.token_merge` defines what it computes."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from segpp_deploy.ops.portable.writer import Matches, NodeWriter, PortableMatch, required_input


def lower_token_merge(write: NodeWriter, node: ir.Node, matches: Matches) -> tuple[ir.Value, ...]:
    """Write the body and return merged [B, M, C]."""
    tokens, row_of_token = required_input(node, 0), required_input(node, 1)
    merged, _ = merge_rows(write, tokens, row_of_token, matches[row_of_token])
    return (merged,)


def merge_rows(
    write: NodeWriter, tokens: ir.Value, row_of_token: ir.Value, match: PortableMatch
) -> tuple[ir.Value, ir.Value]:
    """Return merged [B, M, C], and how many tokens [B, D, 1] float32 the rows of destinations hold.

    Only the destinations' rows are means, taken as a one-hot matrix product (scatter-reduce is refused by TensorRT);
    the rows of kept sources are gathered.
    """
    wide = write.cast(tokens, ir.DataType.FLOAT)
    rows = write.op("Unsqueeze", row_of_token, write.constant([1], np.int64))
    destination_rows = write.constant(np.arange(match.num_destinations)[None, :, None], np.int64)
    members = write.op("Cast", write.op("Equal", rows, destination_rows), to=ir.DataType.FLOAT.value)
    count = write.op("ReduceSum", members, write.constant([-1], np.int64))
    means = write.op("Div", write.op("MatMul", members, wide), count)
    if tokens.dtype is not None and tokens.dtype != ir.DataType.FLOAT:
        means = write.op("Cast", means, to=tokens.dtype.value)
    if match.kept_tokens is None:
        return means, count
    index = write.op("Unsqueeze", match.kept_tokens, write.constant([-1], np.int64))
    kept = write.op("GatherND", tokens, index, batch_dims=1)
    return write.op("Concat", means, kept, axis=1), count
