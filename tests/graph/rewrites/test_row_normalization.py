"""Normalising rows instead of planes: the same bits, and only where an integer convolution follows."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime
import pytest

from segpp_deploy.graph.rewrites.onnxruntime import rewrite_for_onnxruntime
from segpp_deploy.graph.rewrites.row_normalization import NormalizeRows
from tests.graph.rewrites.test_onnxruntime_int8 import quantized

BATCH = {"static": "2", "dynamic": "batch"}


def normalizing(batch: str = "2", quantize: bool = True) -> onnx.ModelProto:
    model = onnx.parser.parse_model(f"""<ir_version: 10, opset_import: ["" : 20]>
        agraph (uint8[{batch}, 8, 12, 3] image) => (float[{batch}, 4, 8, 12] y) {{
            floats = Cast <to = 1> (image)
            x = Transpose <perm = [0, 3, 1, 2]> (floats)
            centred = Sub (x, mean)
            scaled = Div (centred, std)
            y = Conv (scaled, w0)
        }}""")
    generator = np.random.default_rng(0)
    for name, shape in (("mean", (1, 3, 1, 1)), ("std", (1, 3, 1, 1)), ("w0", (4, 3, 1, 1))):
        values = generator.uniform(40, 120, shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    return quantized(model, outputs=False) if quantize else model


def run(model: onnx.ModelProto, image: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    output: np.ndarray = session.run(None, {"image": image})[0]
    return output


@pytest.mark.parametrize("batch", BATCH.values(), ids=BATCH)
def test_the_same_bits_from_rows(batch: str) -> None:
    model = normalizing(batch)
    result = NormalizeRows()(ir.from_proto(model))
    assert result.modified
    rows = ir.to_proto(result.model)
    onnx.checker.check_model(rows, full_check=True)
    order = [node.op_type for node in rows.graph.node]
    assert order[:6] == ["Cast", "Reshape", "Sub", "Div", "Reshape", "Transpose"]
    image = np.random.default_rng(1).integers(0, 256, (2, 8, 12, 3), np.uint8)
    np.testing.assert_array_equal(run(rows, image), run(model, image))


def test_bytes_are_transposed_then() -> None:
    form = rewrite_for_onnxruntime(normalizing())
    order = [node.op_type for node in form.graph.node]
    assert order.index("QuantizeLinear") < order.index("Transpose")


def test_float_graphs_stay() -> None:
    assert not NormalizeRows()(ir.from_proto(normalizing(quantize=False))).modified
