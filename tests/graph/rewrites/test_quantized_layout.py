"""Moving quantisation past changes of layout: the values stay, what is transposed are bytes."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from segpp_deploy.graph.rewrites.quantized_layout import DequantizeBehindLayout, QuantizeBeforeLayout, dequantize_of
from tests.graph.rewrites.test_onnxruntime_int8 import make_graph, quantized, run

TOKENS = (1, 30, 8)
PLANES_OF_TOKENS = """x, w0) <float[16, 8, 1, 1] w0> {
    shifted = Sign (x)
    tokens = Add (x, shifted)
    turned = Transpose <perm = [0, 2, 1]> (tokens)
    shape = Constant <value_ints = [1, 8, 5, 6]> ()
    planes = Reshape (turned, shape)
    convolved = Conv (planes, w0)
    flat_shape = Constant <value_ints = [1, 16, 30]> ()
    flat = Reshape (convolved, flat_shape)
    y = Transpose <perm = [0, 2, 1]> (flat)
}"""
SHARED = """x, w0) <float[16, 8, 1, 1] w0> {
    turned = Transpose <perm = [0, 2, 1]> (x)
    shape = Constant <value_ints = [1, 8, 5, 6]> ()
    planes = Reshape (turned, shape)
    convolved = Conv (planes, w0)
    sum = ReduceSum <keepdims = 0> (planes)
    y = Add (convolved, sum)
}"""


def sources(model: onnx.ModelProto) -> dict[str, list[str]]:
    """The operations behind every QuantizeLinear, up to the first one that is no change of layout."""
    by_output = {name: node for node in model.graph.node for name in node.output}
    found = {}
    for node in model.graph.node:
        if node.op_type != "QuantizeLinear":
            continue
        path, source = [], node.input[0]
        while source in by_output:
            path.append(by_output[source].op_type)
            if path[-1] not in ("Reshape", "Transpose"):
                break
            source = by_output[source].input[0]
        found[node.name] = path
    return found


def rewritten(model: onnx.ModelProto, *passes: ir.passes.InPlacePass) -> onnx.ModelProto:
    result = ir.to_proto(ir.passes.Sequential(*passes)(ir.from_proto(model)).model)
    onnx.checker.check_model(result, full_check=True)
    return result


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1.5, TOKENS).astype(np.float32)


@pytest.mark.parametrize("behind", [False, True])
def test_the_values_stay_bit_for_bit(picture: np.ndarray, behind: bool) -> None:
    plain = quantized(make_graph(PLANES_OF_TOKENS, TOKENS))
    assert sources(plain)["planes.quantized"] == ["Reshape", "Transpose", "Add"]
    moved = rewritten(plain, QuantizeBeforeLayout(), *([DequantizeBehindLayout()] if behind else []))
    assert sources(moved)["planes.quantized"] == ["Add"]
    np.testing.assert_array_equal(run(moved, picture), run(plain, picture))


def test_bytes_change_their_layout_on_both_sides_of_a_convolution() -> None:
    plain = quantized(make_graph(PLANES_OF_TOKENS, TOKENS))
    moved = ir.from_proto(rewritten(plain, QuantizeBeforeLayout(), DequantizeBehindLayout()))
    arranged = [node for node in moved.graph if node.op_type in ("Reshape", "Transpose")]
    assert len(arranged) == 4
    assert {node.inputs[0].dtype for node in arranged} == {ir.DataType.INT8}
    assert {node.outputs[0].dtype for node in arranged} == {ir.DataType.INT8}


def test_a_layout_that_others_read_too_stays_where_it_is(picture: np.ndarray) -> None:
    plain = quantized(make_graph(SHARED, TOKENS))
    moved = rewritten(plain, QuantizeBeforeLayout())
    assert sources(moved)["planes.quantized"] == sources(plain)["planes.quantized"] == ["Reshape", "Transpose"]
    np.testing.assert_array_equal(run(moved, picture), run(plain, picture))


def test_weights_are_left_alone() -> None:
    plain = quantized(make_graph(PLANES_OF_TOKENS, TOKENS), outputs=False)
    model = ir.from_proto(plain)
    weights = [node for node in model.graph if node.op_type == "DequantizeLinear" and node.inputs[0].is_initializer()]
    DequantizeBehindLayout()(model)
    assert [node.inputs[0].name for node in weights] == ["w0.quantized"]
    assert all(node.inputs[1].shape.dims for node in weights)


def test_the_halves_of_a_pair_find_each_other() -> None:
    model = ir.from_proto(quantized(make_graph(PLANES_OF_TOKENS, TOKENS)))
    pairs = [dequantize_of(node) for node in model.graph if node.op_type == "QuantizeLinear"]
    assert {node.op_type for node in pairs} == {"DequantizeLinear"}
