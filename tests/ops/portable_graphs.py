"""Graphs that match, merge and restore tokens in standard ONNX ops, how they are run, and what they should compute."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper

from segpp_deploy.graph.exporting.lowering import lower_to_portable
from segpp_deploy.graph.exporting.schemas import register_schemas
from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.ops.token_match import token_match
from segpp_deploy.ops.token_merge_with_size import token_merge_with_size
from segpp_deploy.ops.token_unmerge import token_unmerge
from tests.ops.cases import MatchCase
from tests.support.requirements import require

Array = npt.NDArray[np.generic]
Run = Callable[[onnx.ModelProto, dict[str, Array]], list[Array]]


def run_onnxruntime(model: onnx.ModelProto, feeds: dict[str, Array]) -> list[Array]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs: list[Array] = session.run(None, feeds)
    return outputs


def run_openvino(model: onnx.ModelProto, feeds: dict[str, Array]) -> list[Array]:
    openvino = require("openvino")
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(model.SerializeToString()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    result = compiled(feeds)
    return [result[output] for output in compiled.outputs]


def merging_graph(case: MatchCase, dtype: int, batch: int | str) -> onnx.ModelProto:
    """tokens -> merged, restored (+ residual), and log n of each token's row, with custom nodes."""
    register_schemas()
    (grid_h, grid_w), (stride_y, stride_x) = case.grid, case.stride
    nodes = [
        helper.make_node(
            "TokenMatch",
            ["tokens"],
            ["row_of_token"],
            domain=DOMAIN,
            grid_h=grid_h,
            grid_w=grid_w,
            stride_y=stride_y,
            stride_x=stride_x,
            num_removed=case.num_removed,
        ),
        helper.make_node("TokenMerge", ["tokens", "row_of_token"], ["merged"], domain=DOMAIN, num_rows=case.num_rows),
        helper.make_node(
            "TokenMergeWithSize",
            ["tokens", "row_of_token"],
            ["rows", "log_size"],
            domain=DOMAIN,
            num_rows=case.num_rows,
        ),
        helper.make_node("TokenUnmerge", ["rows", "row_of_token", "tokens"], ["restored"], domain=DOMAIN),
        helper.make_node("Unsqueeze", ["log_size", "last"], ["log_sizes"]),
        helper.make_node("TokenUnmerge", ["log_sizes", "row_of_token"], ["log_size_of_token"], domain=DOMAIN),
    ]
    shape = [batch, case.num_tokens, case.channels]
    graph = helper.make_graph(
        nodes,
        "merging",
        [helper.make_tensor_value_info("tokens", dtype, shape)],
        [
            helper.make_tensor_value_info("merged", dtype, [batch, case.num_rows, case.channels]),
            helper.make_tensor_value_info("restored", dtype, shape),
            helper.make_tensor_value_info("log_size_of_token", TensorProto.FLOAT, [batch, case.num_tokens, 1]),
        ],
        [helper.make_tensor("last", TensorProto.INT64, [1], [-1])],
    )
    return lower(helper.make_model(graph, opset_imports=opsets(), ir_version=10))


def opsets() -> list[onnx.OperatorSetIdProto]:
    return [helper.make_opsetid("", 20), helper.make_opsetid(DOMAIN, 1)]


def lower(model: onnx.ModelProto) -> onnx.ModelProto:
    import onnx_ir as ir

    lowered = ir.to_proto(lower_to_portable(ir.from_proto(onnx.shape_inference.infer_shapes(model, strict_mode=True))))
    onnx.checker.check_model(lowered, full_check=True)
    return lowered


def expected(case: MatchCase, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rows = token_match(tokens, *case.grid, *case.stride, case.num_removed)
    merged, log_size = token_merge_with_size(tokens, rows, case.num_rows)
    return merged, token_unmerge(merged, rows, tokens), token_unmerge(log_size[..., None], rows)


def sorted_rows(merged: torch.Tensor) -> torch.Tensor:
    """Rows in a canonical order: the portable body numbers them differently, which attention cannot see."""
    out = []
    for image in merged.double():
        keys = np.lexsort(image.numpy().round(5).T[::-1])
        out.append(image[torch.from_numpy(keys.copy())])
    return torch.stack(out)
