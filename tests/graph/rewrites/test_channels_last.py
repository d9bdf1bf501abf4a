"""Tokens and planes with the channels last in between: the same bits, and nothing left to transpose twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from segpp_deploy.config import Preset
from segpp_deploy.graph.rewrites.channels_last import GridsChannelsLast, is_swap
from segpp_deploy.model.dialects import Dialect
from tests.graph.conftest import RAGGED, DynamicExport
from tests.model.test_segformer import MIXED
from tests.support.exporting import Array, export_logits, run_onnxruntime, smooth_pictures, to_bytes
from tests.support.random_models import random_model


def swaps(model: onnx.ModelProto) -> int:
    return sum(is_swap(node) for node in ir.from_proto(model).graph)


def assert_same_bits(path: Path, pictures: Array) -> None:
    model = onnx.load(path)
    rewritten = ir.to_proto(GridsChannelsLast()(ir.from_proto(model)).model)
    onnx.checker.check_model(rewritten, full_check=True)
    assert swaps(model) > swaps(rewritten)
    after = path.with_suffix(".after.onnx")
    onnx.save(rewritten, after)
    np.testing.assert_array_equal(run_onnxruntime(after, pictures), run_onnxruntime(path, pictures))


@pytest.mark.parametrize("mode", [Preset.HQ_PLUS, Preset.POOL_2X2])
def test_the_same_bits(mode: Preset, tmp_path: Path) -> None:
    path = export_logits(random_model(Dialect.MMSEG), mode, tmp_path / "m.onnx")
    assert_same_bits(path, to_bytes(smooth_pictures(RAGGED)))


def test_a_dynamic_batch(dynamic_export: DynamicExport) -> None:
    assert_same_bits(dynamic_export(MIXED).path, smooth_pictures(RAGGED, 3).numpy())


@pytest.mark.parametrize(
    "body",
    [
        "t = Transpose <perm = [0, 2, 1]> (x) y = Reshape (t, heads)",  # not the planes of these tokens
        "t = Transpose <perm = [0, 2, 1]> (x) y = Reshape (t, planes) z = Relu (t)",  # something else reads it
        "t = Reshape (x, grid) y = Transpose <perm = [0, 3, 1, 2]> (t)",  # that is the form already
    ],
)
def test_others_stay(body: str) -> None:
    outputs = "float[1, a, b, c] y" + (", float[1, 4, 6] z" if " z " in body else "")
    model = onnx.parser.parse_model(f"""<ir_version: 10, opset_import: ["" : 20]>
        agraph (float[1, 6, 4] x) => ({outputs})
        <int64[4] heads = {{1, 2, 2, 6}}, int64[4] planes = {{1, 4, 2, 3}}, int64[4] grid = {{1, 2, 3, 4}}>
        {{ {body} }}""")
    assert not GridsChannelsLast()(ir.from_proto(onnx.shape_inference.infer_shapes(model))).modified
