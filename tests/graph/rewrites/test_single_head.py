"""Blocks of queries in the place of heads: the same scores and sums, and one kernel in TensorRT-RTX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime
import pytest

from benchmarks.measure.rtx_kernels import FUSED
from benchmarks.toolchain.rtx_builder import EngineKernel, parse_kernel, read_kernels
from segpp_deploy.config import Preset
from segpp_deploy.graph.precision.half import to_fp16
from segpp_deploy.graph.rewrites.single_head import QueryBlocksAsHeads
from segpp_deploy.graph.rewrites.tensorrt import rewrite_for_tensorrt
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.plan import PRESETS
from tests.support.exporting import RAGGED, export, run_onnxruntime, smooth_pictures
from tests.support.random_models import random_model
from tests.support.requirements import needs

ATTENTION = """
    <ir_version: 9, opset_import: ["" : 18]>
    attention (float16[BATCH, HEADS, ROWS, 32] q, float16[BATCH, HEADS, 32, 64] k, float16[BATCH, HEADS, 64, 32] v,
               float[BATCH, 1, 1, 64] log_size) => (float16[BATCH, HEADS, ROWS, 32] mixed)
    <float16[BATCH, HEADS, ROWS, 64] products, float[BATCH, HEADS, ROWS, 64] scores,
     float[BATCH, HEADS, ROWS, 64] weighted, float[BATCH, HEADS, ROWS, 64] exact,
     float16[BATCH, HEADS, ROWS, 64] shares, float16[BATCH, HEADS, ROWS, 32] sums>
    {
        products = MatMul (q, k)
        scores = Cast <to = 1> (products)
        weighted = Add (scores, log_size)
        exact = Softmax <axis = -1> (weighted)
        shares = Cast <to = 10> (exact)
        sums = MatMul (shares, v)
        mixed = Identity (sums)
    }
"""


def make_attention(rows: int, heads: int = 1, batch: int | str = 1) -> onnx.ModelProto:
    text = ATTENTION.replace("ROWS", str(rows)).replace("HEADS", str(heads)).replace("BATCH", str(batch))
    return onnx.parser.parse_model(text)


def blocks_of(model: onnx.ModelProto) -> list[int]:
    """Heads of each product of queries and keys."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    shapes = {value.name: value.type.tensor_type.shape for value in inferred.graph.value_info}
    return [shapes[node.output[0]].dim[1].dim_value for node in model.graph.node if node.output[0] == "products"]


@pytest.mark.parametrize(("rows", "batch", "blocks"), [(128, 1, 2), (128, "B", 2), (45, 2, 3), (13 * 17, 1, 13)])
def test_the_same_sums(rows: int, batch: int | str, blocks: int) -> None:
    before = make_attention(rows, batch=batch)
    after = rewrite_for_tensorrt(before)
    onnx.checker.check_model(after, full_check=True)
    assert blocks_of(after) == [blocks]
    random, count = np.random.default_rng(0), 3 if batch == "B" else int(batch)
    shapes = {"q": (rows, 32), "k": (32, 64), "v": (64, 32)}
    tensors = {name: random.standard_normal((count, 1, *shape)).astype(np.float16) for name, shape in shapes.items()}
    tensors["log_size"] = random.random((count, 1, 1, 64)).astype(np.float32)
    found, expected = (
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, tensors)
        for model in (after, before)
    )
    np.testing.assert_allclose(*found, *expected, atol=2e-3)


@pytest.mark.parametrize(("rows", "heads"), [(128, 2), (17, 1)], ids=["heads", "rows that have no divisor"])
def test_what_has_heads_or_cannot_be_cut_stays(rows: int, heads: int) -> None:
    model = make_attention(rows, heads)
    assert rewrite_for_tensorrt(model) is model


def test_float32_stays_and_the_first_stage_is_rewritten(tmp_path: Path) -> None:
    model = random_model(Dialect.MMSEG)
    path = export(model, Preset.FAST_PLUS, tmp_path / "m.onnx", RAGGED, batch=1).path
    assert not QueryBlocksAsHeads()(ir.load(path)).modified
    half = ir.to_proto(to_fp16(ir.load(path)).model)
    onnx.save(half, tmp_path / "half.onnx")
    after = rewrite_for_tensorrt(half)
    onnx.checker.check_model(after, full_check=True)
    onnx.save(after, tmp_path / "after.onnx")
    assert sum("blocks" in node.name for node in after.graph.node) == 4 * 2  # two layers of the first stage
    pictures = smooth_pictures(RAGGED).numpy()
    found, expected = (run_onnxruntime(tmp_path / f"{name}.onnx", pictures) for name in ("after", "half"))
    assert np.abs(found - expected).mean() < 0.01 * np.abs(expected).mean()
    assert PRESETS[Preset.FAST_PLUS].stages[0].kv.weighted  # the sizes of keys are added in between


@needs("tensorrt_rtx")
def test_attention_becomes_one_kernel(tmp_path: Path) -> None:
    """Softmax in float32 and what weighted keys add to the scores are in it."""
    fused = []
    for name, model in {"before": make_attention(8192), "after": rewrite_for_tensorrt(make_attention(8192))}.items():
        onnx.save(model, tmp_path / f"{name}.onnx")
        fused.append(sum(kernel.tactic.startswith(FUSED) for kernel in read_kernels(tmp_path / f"{name}.onnx")))
    assert fused == [0, 1]


def test_kernels_are_read_from_the_builders_list() -> None:
    line = (
        "Name: a, LayerType: kgen, Inputs: [ { Name: x, Dimensions: [1,8], Strides: [8,1], Datatype: Half }, "
        "{ Name: z, Dimensions: [], Datatype: Int32 }], Constants: [ { Name: w, Dimensions: [3], Datatype: Float }], "
        "Outputs: [ { Name: y, Dimensions: [1,8], Strides: [8,1], Datatype: Float }], "
        "TacticName: __myl_CastAdd_0x5e2c9e2f, StreamId: 0, Metadata: [ONNX Layer: b/node_cast][ONNX Layer: node_add]"
    )
    assert parse_kernel(line) == EngineKernel("__myl_CastAdd", ("b/node_cast", "node_add"), 16 + 4 + 12 + 32)
    assert parse_kernel("Name: b, LayerType: Reformat, Inputs: [], Outputs: []").tactic == "Reformat"
