"""The portable ONNX bodies, run by ONNX Runtime and OpenVINO, against the PyTorch ops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from benchmarks.toolchain.rtx_builder import build_with_rtx
from segpp_deploy.graph.exporting.lowering import lower_to_portable
from segpp_deploy.graph.exporting.schemas import register_schemas
from segpp_deploy.model.plan import count_sources
from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.ops.portable import token_match as portable_match
from segpp_deploy.ops.token_match import token_match
from segpp_deploy.ops.token_merge_with_size import token_merge_with_size
from segpp_deploy.ops.token_unmerge import token_unmerge
from segpp_deploy.ops.upsample_argmax import upsample_argmax
from tests.ops.cases import MatchCase, match_cases
from tests.support.requirements import needs, require

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


@pytest.mark.parametrize("run", [run_onnxruntime, run_openvino])
@settings(max_examples=25, deadline=None)
@given(case=match_cases())
def test_match_merge_unmerge(run: Run, case: MatchCase) -> None:
    if run is run_openvino:  # its TopK and ArgMax break exact ties in their own way
        case = replace(case, ties=False)
    tokens = case.tokens()
    merged, restored, log_size = expected(case, tokens)
    found_merged, found_restored, found_size = run(
        merging_graph(case, TensorProto.FLOAT, case.batch), {"tokens": tokens.numpy()}
    )
    np.testing.assert_allclose(found_size, log_size.numpy(), atol=1e-6)
    np.testing.assert_allclose(found_restored, restored.numpy(), atol=1e-5)
    np.testing.assert_allclose(sorted_rows(torch.from_numpy(found_merged)), sorted_rows(merged), atol=1e-5)


CASE = MatchCase((9, 11), (2, 3), 40, batch=3, channels=8, seed=1, ties=False)


def test_dynamic_batch_keeps_shapes_inferable() -> None:
    model = merging_graph(CASE, TensorProto.FLOAT, "batch")
    for value in model.graph.value_info:
        dims = value.type.tensor_type.shape.dim
        assert all(dim.HasField("dim_value") or dim.dim_param == "batch" for dim in dims), value.name
    for batch in (1, 2):
        tokens = CASE.tokens()[:batch]
        _, *found = run_onnxruntime(model, {"tokens": tokens.numpy()})
        for one, other in zip(found, expected(CASE, tokens)[1:], strict=True):
            np.testing.assert_allclose(one, other.numpy(), atol=1e-5)


def test_float16_matches_in_float32() -> None:
    tokens = CASE.tokens().half()
    model = merging_graph(CASE, TensorProto.FLOAT16, 3)
    merged, restored, log_size = run_onnxruntime(model, {"tokens": tokens.numpy()})
    assert merged.dtype == restored.dtype == np.float16
    np.testing.assert_allclose(restored, expected(CASE, tokens)[1].numpy(), atol=2e-3)
    assert log_size.dtype == np.float32
    np.testing.assert_allclose(log_size, expected(CASE, tokens)[2].numpy(), atol=1e-6)


def test_all_sources_merge() -> None:
    """Nothing is left to select: no TopK with k = 0 may be written, only the one that finds the nearest."""
    case = MatchCase((4, 4), (2, 2), 12, batch=1, channels=4, seed=0, ties=False)
    model = merging_graph(case, TensorProto.FLOAT, 1)
    assert [node.op_type for node in model.graph.node].count("TopK") == 1
    _, *found = run_onnxruntime(model, {"tokens": case.tokens().numpy()})
    for one, other in zip(found, expected(case, case.tokens())[1:], strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(case=match_cases(), most=st.integers(1, 40))
def test_passes_select_what_one_topk_selects(case: MatchCase, most: int) -> None:
    """Bit by bit, and ties included: most of these cases tie across the borders of passes."""
    feeds: dict[str, Array] = {"tokens": case.tokens().numpy()}
    with mock.patch.object(portable_match, "MOST_SELECTED", most):
        in_passes = merging_graph(case, TensorProto.FLOAT, "batch")
    num_kept = case.num_rows - count_sources(case.grid, case.stride)[0]
    assert [node.op_type for node in in_passes.graph.node].count("TopK") == 1 + -(-num_kept // most)
    at_once = run_onnxruntime(merging_graph(case, TensorProto.FLOAT, "batch"), feeds)
    for found, wanted in zip(run_onnxruntime(in_passes, feeds), at_once, strict=True):
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_allclose(at_once[1], expected(case, case.tokens())[1].numpy(), atol=1e-5)


def test_passes_in_openvino() -> None:
    with mock.patch.object(portable_match, "MOST_SELECTED", 7):
        model = merging_graph(CASE, TensorProto.FLOAT, "batch")
    _, found, _ = run_openvino(model, {"tokens": CASE.tokens().numpy()})
    np.testing.assert_allclose(found, expected(CASE, CASE.tokens())[1].numpy(), atol=1e-5)


@needs("tensorrt_rtx")
def test_more_sources_stay_than_a_topk_of_tensorrt_selects(tmp_path: Path) -> None:
    case = MatchCase((64, 128), (2, 2), 1000, batch=1, channels=4, seed=0, ties=False)  # 5144 of 6144 stay
    path = tmp_path / "m.onnx"
    onnx.save(merging_graph(case, TensorProto.FLOAT, 1), path)
    assert build_with_rtx(path).engine_bytes > 0


@pytest.mark.parametrize("run", [run_onnxruntime, run_openvino])
@pytest.mark.parametrize("size", [(32, 48), (15, 22), (8, 12)])
def test_upsample_argmax(run: Run, size: tuple[int, int]) -> None:
    register_schemas()
    logits = torch.randn(2, 19, 8, 12, generator=torch.Generator().manual_seed(0))
    node = helper.make_node("UpsampleArgmax", ["logits"], ["labels"], domain=DOMAIN, height=size[0], width=size[1])
    graph = helper.make_graph(
        [node],
        "labels",
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, list(logits.shape))],
        [helper.make_tensor_value_info("labels", TensorProto.UINT8, [2, *size])],
    )
    model = lower(helper.make_model(graph, opset_imports=opsets(), ir_version=10))
    (found,) = run(model, {"logits": logits.numpy()})
    assert found.dtype == np.uint8
    assert (found == upsample_argmax(logits, *size).numpy()).mean() >= 0.999  # near-ties may round either way
