"""Merged tokens as sums in place: what the op defines, in OpenVINO, whose sums are exact whatever the threads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from hypothesis import given, settings
from onnx import TensorProto
from onnx_ir.passes import common as passes

from segpp_deploy.config import Precision
from segpp_deploy.graph.rewrites.openvino import rewrite_for_openvino
from segpp_deploy.graph.rewrites.row_sums import SumRowsInPlace
from tests.ops.cases import MatchCase, match_cases
from tests.ops.portable_graphs import expected, merging_graph, run_openvino, sorted_rows
from tests.support.requirements import require

CASE = MatchCase((9, 11), (2, 3), 40, batch=3, channels=8, seed=1, ties=False)


def sum_in_place(model: onnx.ModelProto) -> onnx.ModelProto:
    pipeline = ir.passes.Sequential(SumRowsInPlace(), passes.RemoveUnusedNodesPass())
    rewritten = ir.to_proto(pipeline(ir.from_proto(model)).model)
    onnx.checker.check_model(rewritten, full_check=True)
    return rewritten


def op_types(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@settings(max_examples=25, deadline=None)
@given(case=match_cases())
def test_merge_and_unmerge(case: MatchCase) -> None:
    case = replace(case, ties=False)
    model = sum_in_place(merging_graph(case, TensorProto.FLOAT, case.batch))
    assert op_types(model).count("MatMul") == 1, "only the similarities are a product"
    assert "Equal" not in op_types(model)
    tokens = case.tokens()
    merged, restored, log_size = expected(case, tokens)
    found_merged, found_restored, found_size = run_openvino(model, {"tokens": tokens.numpy()})
    np.testing.assert_allclose(found_size, log_size.numpy(), atol=1e-6)
    np.testing.assert_allclose(found_restored, restored.numpy(), atol=1e-5)
    np.testing.assert_allclose(sorted_rows(torch.from_numpy(found_merged)), sorted_rows(merged), atol=1e-5)


def test_sums_are_exact_whatever_the_threads() -> None:
    """Bit by bit the sum in token order; a runtime whose threads add to one row at once loses some here."""
    openvino = require("openvino")
    num_tokens, num_rows, channels = 8192, 3, 320
    tokens = np.random.default_rng(0).normal(size=(num_tokens, channels)).astype(np.float32)
    rows = np.arange(num_tokens) % num_rows
    model = onnx.parser.parse_model(f"""<ir_version: 10, opset_import: ["" : 20]>
        agraph (float[{num_tokens}, {channels}] tokens, int64[{num_tokens}, 1] rows) => (float[m, c] sums)
        <int64[2] shape = {{{num_rows}, {channels}}}, float zero = {{0}}> {{
            zeros = Expand (zero, shape)
            sums = ScatterND <reduction = "add"> (zeros, rows, tokens)
        }}""")
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU", {"INFERENCE_NUM_THREADS": 8})
    wanted = np.zeros((num_rows, channels), np.float32)
    np.add.at(wanted, rows, tokens)
    for _ in range(20):
        np.testing.assert_array_equal(compiled([tokens, rows[:, None]])[0], wanted)


def test_layers_share_their_constants() -> None:
    model = merging_graph(CASE, TensorProto.FLOAT, CASE.batch)  # merges twice
    assert op_types(model).count("Equal") == 2
    rewritten = sum_in_place(model)
    zeros = [tensor for tensor in rewritten.graph.initializer if not np.any(onnx.numpy_helper.to_array(tensor))]
    large = [tensor for tensor in zeros if list(tensor.dims) == [CASE.batch, CASE.num_rows, CASE.channels]]
    assert op_types(rewritten).count("ScatterND") == 4
    assert len(large) == 1


@pytest.mark.parametrize(("batch", "dtype"), [("batch", TensorProto.FLOAT), (3, TensorProto.FLOAT16)])
def test_others_stay(batch: int | str, dtype: int) -> None:
    assert not SumRowsInPlace()(ir.from_proto(merging_graph(CASE, dtype, batch))).modified


def test_only_float32_is_added_in_place() -> None:
    model = merging_graph(CASE, TensorProto.FLOAT, CASE.batch)
    assert "ScatterND" in op_types(rewrite_for_openvino(model, Precision.FP32))
    for precision in (Precision.BF16, Precision.INT8):
        assert "ScatterND" not in op_types(rewrite_for_openvino(model, precision))
