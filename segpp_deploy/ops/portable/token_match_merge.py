"""segpp::TokenMatchMerge in standard ops; `segpp_deploy.ops.token_match_merge` defines what it computes."""

from __future__ import annotations

import onnx_ir as ir

from segpp_deploy.ops.portable.token_match import write_match
from segpp_deploy.ops.portable.token_merge_with_size import write_merge
from segpp_deploy.ops.portable.writer import Matches, NodeWriter, integer_attribute, required_input


def lower_token_match_merge(write: NodeWriter, node: ir.Node, matches: Matches) -> tuple[ir.Value, ...]:
    """Write the bodies of both ops and return row_of_token [B, N] int64, merged [B, M, C] and log_size [B, M]."""
    tokens, num_rows = required_input(node, 0), integer_attribute(node, "num_rows")
    num_removed = integer_attribute(node, "grid_h") * integer_attribute(node, "grid_w") - num_rows
    row_of_token = write_match(write, node, num_removed, matches)
    return row_of_token, *write_merge(write, tokens, row_of_token, num_rows, matches)
