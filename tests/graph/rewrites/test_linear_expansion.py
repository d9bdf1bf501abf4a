"""The expansion as a linear layer: the same logits, and no convolution that OpenVINO joins with the depthwise one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir

from segpp_deploy.config import Precision
from segpp_deploy.graph.rewrites.linear_expansion import ExpandAsLinear
from segpp_deploy.graph.rewrites.openvino import rewrite_for_openvino
from tests.graph.conftest import RAGGED, DynamicExport
from tests.model.test_segformer import MIXED
from tests.support.exporting import run_onnxruntime, smooth_pictures

LAYERS = 8  # of B0


def expansions(model: onnx.ModelProto) -> int:
    depthwise = {
        node.input[0] for node in model.graph.node if any(a.name == "group" and a.i > 1 for a in node.attribute)
    }
    return sum(node.op_type == "Conv" and node.output[0] in depthwise for node in model.graph.node)


def test_the_same_logits(dynamic_export: DynamicExport, tmp_path: Path) -> None:
    path = dynamic_export(MIXED).path
    before = onnx.load(path)
    assert expansions(rewrite_for_openvino(before, Precision.FP32)) == LAYERS, "kept where OpenVINO joins nothing"
    after = rewrite_for_openvino(before, Precision.BF16, joins_depthwise=True)
    assert expansions(before) == LAYERS
    assert expansions(after) == 0
    onnx.checker.check_model(after, full_check=True)
    onnx.save(after, tmp_path / "after.onnx")
    pictures = smooth_pictures(RAGGED, 2).numpy()
    wanted = run_onnxruntime(path, pictures)
    np.testing.assert_allclose(run_onnxruntime(tmp_path / "after.onnx", pictures), wanted, atol=1e-4, rtol=5e-6)


def test_quantised_convolutions_stay() -> None:
    model = onnx.parser.parse_model("""<ir_version: 10, opset_import: ["" : 20]>
        agraph (float[1, 6, 4] x, float[8, 1, 3, 3] depthwise) => (float[1, 8, 2, 3] y)
        <int8[8, 4, 1, 1] weight = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
         float scale = {1}, float[8] bias = {0, 0, 0, 0, 0, 0, 0, 0}, int64[4] grid = {1, 2, 3, 4}> {
            picture = Reshape (x, grid)
            planes = Transpose <perm = [0, 3, 1, 2]> (picture)
            weights = DequantizeLinear (weight, scale)
            hidden = Conv (planes, weights, bias)
            y = Conv <group = 8, pads = [1, 1, 1, 1]> (hidden, depthwise)
        }""")
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    assert not ExpandAsLinear()(ir.from_proto(model)).modified
