"""The form of a graph of either lowering that TensorRT runs fastest; the function stays the same."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from segpp_deploy.graph.rewrites.match_merge import JoinMatchAndMerge
from segpp_deploy.graph.rewrites.single_head import QueryBlocksAsHeads


def rewrite_for_tensorrt(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the rewritten copy of `model`; the model itself where nothing applies."""
    result = ir.passes.Sequential(QueryBlocksAsHeads(), JoinMatchAndMerge())(ir.from_proto(model))
    return ir.to_proto(result.model) if result.modified else model
