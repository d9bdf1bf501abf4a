"""fp16 emulated in float32: every result is rounded, and what fp16 cannot hold overflows."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime
import pytest

from segpp_deploy.graph.precision.half_emulation import emulate_half

HALF_GRAPH = """<ir_version: 10, opset_import: ["" : 20]>
agraph (float[1, 4] x) => (float[1, 4] y) <float16[1, 4] shift> {
    half = Cast <to = 10> (x)
    sum = Add (half, shift)
    back = Sub (sum, shift)
    y = Cast <to = 1> (back)
}"""
SHIFT = 1024.0  # fp16 steps by 1 from here on


def emulated() -> ir.Model:
    model = onnx.parser.parse_model(HALF_GRAPH)
    shift = onnx.numpy_helper.from_array(np.full((1, 4), SHIFT, np.float16), "shift")
    model.graph.initializer.append(shift)
    return emulate_half(ir.from_proto(onnx.shape_inference.infer_shapes(model)))


@pytest.mark.filterwarnings("ignore:overflow")
def test_every_result_is_rounded() -> None:
    model = ir.to_proto(emulated())
    onnx.checker.check_model(model, full_check=True)
    x = np.array([[0.25, 0.75, 3.0, 70000.0]], np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": x})
    expected = (x.astype(np.float16) + np.float16(SHIFT)) - np.float16(SHIFT)
    assert found.tolist() == [[0.0, 1.0, 3.0, np.inf]]
    assert found.tolist() == expected.tolist()


def test_nothing_but_the_roundings_is_in_fp16() -> None:
    model = emulated()
    halves = [value for node in model.graph for value in node.outputs if value.dtype == ir.DataType.FLOAT16]
    assert {value.producer().op_type for value in halves} == {"Cast"}
    assert [[use.node.op_type for use in value.uses()] for value in halves] == [["Cast"]] * len(halves)
    assert model.graph.initializers["shift"].dtype == ir.DataType.FLOAT


def test_float32_graphs_stay() -> None:
    model = ir.from_proto(onnx.parser.parse_model(HALF_GRAPH.replace("16[", "[").replace("to = 10", "to = 1")))
    before = [node.op_type for node in model.graph]
    assert [node.op_type for node in emulate_half(model).graph] == before
