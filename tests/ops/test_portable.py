"""The portable ONNX bodies, run by ONNX Runtime and OpenVINO, against the PyTorch ops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from benchmarks.toolchain.rtx_builder import build_with_rtx
from segpp_deploy.graph.exporting.schemas import register_schemas
from segpp_deploy.model.plan import count_sources
from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.ops.portable import token_match as portable_match
from segpp_deploy.ops.upsample_argmax import upsample_argmax
from tests.ops.cases import MatchCase, match_cases
from tests.ops.portable_graphs import (
    Array,
    Run,
    expected,
    lower,
    merging_graph,
    opsets,
    run_onnxruntime,
    run_openvino,
    sorted_rows,
)
from tests.support.requirements import needs


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
