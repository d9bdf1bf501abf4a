"""A match and a merge become one node where the plugin takes one launch for both, and the values stay."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import pytest
import torch

from segpp_deploy.config import Lowering, Preset
from segpp_deploy.graph.exporting.lowering import lower_to_portable
from segpp_deploy.graph.exporting.schemas import register_schemas
from segpp_deploy.graph.precision.half import to_fp16
from segpp_deploy.graph.rewrites.match_merge import JoinMatchAndMerge
from segpp_deploy.graph.rewrites.tensorrt import rewrite_for_tensorrt
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.ops.token_match import token_match
from segpp_deploy.ops.token_merge_with_size import token_merge_with_size
from segpp_deploy.ops.token_unmerge import token_unmerge
from tests.ops.portable_graphs import run_onnxruntime, sorted_rows
from tests.support.exporting import PICTURE_TO_LABELS, RAGGED, export
from tests.support.random_models import random_model

GRAPH = """
    <ir_version: 10, opset_import: ["" : 20, "segpp" : 1]>
    merging (float[BATCH, TOKENS, 8] tokens, float[BATCH, TOKENS, 8] others)
         => (float[BATCH, ROWS, 8] merged, float[BATCH, TOKENS, 8] restored)
    {
        row_of_token = segpp.TokenMatch <grid_h = HEIGHT, grid_w = WIDTH, stride_y = 2, stride_x = 2, num_removed = 20,
                                         plugin_namespace = "segpp"> (tokens)
        MERGE
        restored = segpp.TokenUnmerge (merged, row_of_token)
    }
"""
MERGE = "merged = segpp.TokenMerge <num_rows = ROWS> (tokens, row_of_token)"
WEIGHTED = """
        rows, log_size = segpp.TokenMergeWithSize <num_rows = ROWS> (tokens, row_of_token)
        last = Constant <value_ints = [-1]> ()
        sizes = Unsqueeze (log_size, last)
        merged = Add (rows, sizes)
"""


def make_graph(merge: str = MERGE, grid: tuple[int, int] = (6, 7), batch: str = "2") -> onnx.ModelProto:
    register_schemas()
    num_tokens = grid[0] * grid[1]
    sizes = {"MERGE": merge, "HEIGHT": grid[0], "WIDTH": grid[1], "TOKENS": num_tokens, "ROWS": num_tokens - 20}
    sizes["BATCH"] = batch
    text = GRAPH
    for name, value in sizes.items():
        text = text.replace(name, str(value))
    return onnx.shape_inference.infer_shapes(onnx.parser.parse_model(text), strict_mode=True)


def op_types(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node if node.domain == DOMAIN]


@pytest.mark.parametrize("batch", ["2", "B"])
@pytest.mark.parametrize("merge", [MERGE, WEIGHTED], ids=["plain", "weighted"])
def test_the_same_values(merge: str, batch: str) -> None:
    before = make_graph(merge, batch=batch)
    after = rewrite_for_tensorrt(before)
    onnx.checker.check_model(after, full_check=True)
    assert op_types(after) == ["TokenMatchMerge", "TokenUnmerge"]
    tokens = torch.randn(2, 42, 8, generator=torch.Generator().manual_seed(0))
    rows = token_match(tokens, 6, 7, 2, 2, 20)
    merged, log_size = token_merge_with_size(tokens, rows, 22)
    if merge is WEIGHTED:
        merged = merged + log_size[..., None]
    portable = ir.to_proto(lower_to_portable(ir.from_proto(after)))
    found = run_onnxruntime(portable, {"tokens": tokens.numpy(), "others": tokens.numpy()})
    # The portable form numbers its rows in another order.
    torch.testing.assert_close(sorted_rows(torch.from_numpy(found[0])), sorted_rows(merged), atol=1e-5, rtol=0)
    np.testing.assert_allclose(found[1], token_unmerge(merged, rows).numpy(), atol=1e-5)


def test_attributes_shapes_and_names_are_those_of_both() -> None:
    (joined, _) = rewrite_for_tensorrt(make_graph()).graph.node
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in joined.attribute}
    grid = {"grid_h": 6, "grid_w": 7, "stride_y": 2, "stride_x": 2}
    assert attributes == {**grid, "num_rows": 22, "plugin_namespace": b"segpp"}
    assert list(joined.output) == ["row_of_token", "merged", "merged.log_size"]


@pytest.mark.parametrize(
    ("merge", "grid"),
    [(MERGE.replace("(tokens", "(others"), (6, 7)), (MERGE, (65, 64))],
    ids=["other tokens", "many tokens"],
)
def test_what_is_not_one_launch_stays(merge: str, grid: tuple[int, int]) -> None:
    model = make_graph(merge, grid)
    assert rewrite_for_tensorrt(model) is model


def test_a_second_merge_reads_the_map() -> None:
    again = MERGE.replace("merged =", "again =")
    after = rewrite_for_tensorrt(make_graph(f"{again}\n        {MERGE}"))
    assert op_types(after) == ["TokenMatchMerge", "TokenMerge", "TokenUnmerge"]


@pytest.mark.parametrize("preset", [Preset.HQ, Preset.FAST_PLUS, Preset.HQ_REUSE])
def test_every_match_of_few_tokens_in_a_model(preset: Preset, tmp_path: Path) -> None:
    model = random_model(Dialect.MMSEG)
    path = export(model, preset, tmp_path / "m.onnx", RAGGED, lowering=Lowering.PLUGIN, **PICTURE_TO_LABELS).path
    for exported in (ir.load(path), to_fp16(ir.load(path)).model):
        before = Counter(node.op_type for node in exported.graph if node.domain == DOMAIN)
        after = ir.to_proto(JoinMatchAndMerge()(exported).model)
        onnx.checker.check_model(after, full_check=True)
        counts = Counter(op_types(after))
        assert counts["TokenMatch"] == 0
        assert counts["TokenMatchMerge"] == before["TokenMatch"]
        merges = counts["TokenMerge"] + counts["TokenMergeWithSize"]
        assert merges == before["TokenMerge"] + before["TokenMergeWithSize"] - before["TokenMatch"]
