"""segpp::TokenMergeWithSize in standard ops; `segpp_deploy.ops.token_merge_with_size` defines what it computes."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from segpp_deploy.ops.portable.token_merge import merge_rows
from segpp_deploy.ops.portable.writer import Matches, NodeWriter, integer_attribute, required_input


def lower_token_merge_with_size(write: NodeWriter, node: ir.Node, matches: Matches) -> tuple[ir.Value, ...]:
    """Write the body and return merged [B, M, C] and log_size [B, M]."""
    num_rows = integer_attribute(node, "num_rows")
    return write_merge(write, required_input(node, 0), required_input(node, 1), num_rows, matches)


def write_merge(
    write: NodeWriter, tokens: ir.Value, row_of_token: ir.Value, num_rows: int, matches: Matches
) -> tuple[ir.Value, ir.Value]:
    """Return merged [B, M, C] and log_size [B, M]: a kept source stands for itself, so for log 1."""
    match = matches[row_of_token]
    merged, count = merge_rows(write, tokens, row_of_token, match)
    log_size = write.op("Squeeze", write.op("Log", count), write.constant([-1], np.int64))
    num_kept = num_rows - match.num_destinations
    if num_kept > 0:
        log_size = write.op("Pad", log_size, write.constant([0, 0, 0, num_kept], np.int64))
    return merged, log_size
