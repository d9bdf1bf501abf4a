"""segpp::TokenUnmerge in standard ops; `segpp_deploy.ops.token_unmerge` defines what it computes."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from segpp_deploy.ops.portable.writer import Matches, NodeWriter, required_input


def lower_token_unmerge(write: NodeWriter, node: ir.Node, matches: Matches) -> tuple[ir.Value, ...]:
    """Write the body and return restored [B, N, C]: a gather, and the residual add where there is one."""
    index = write.op("Unsqueeze", required_input(node, 1), write.constant([-1], np.int64))
    restored = write.op("GatherND", required_input(node, 0), index, batch_dims=1)
    residual = node.inputs[2] if len(node.inputs) > 2 else None
    return (restored if residual is None else write.op("Add", restored, residual),)
