"""int8 graphs in the form ONNX Runtime computes in int8: the function of the Q/DQ graph, what becomes of each op."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime
import pytest
from numpy.typing import NDArray

from segpp_deploy.config import Preset
from segpp_deploy.graph.precision.layers import find_layers
from segpp_deploy.graph.precision.qdq import QUANTIZABLE_KINDS, quantize
from segpp_deploy.graph.rewrites.onnxruntime import rewrite_for_onnxruntime
from segpp_deploy.graph.rewrites.onnxruntime_int8 import RUNTIME_DOMAIN
from segpp_deploy.runtimes.onnxruntime.loader import LoadOptions, load_onnxruntime

Array = NDArray[np.float32]
RANGE = 4.0
STEP = RANGE / 127  # of a quantised activation

LINEAR = """x, w0, bias) <float[8, 16] w0, float[16] bias> {
    product = MatMul (x, w0)
    y = Add (product, bias)
}"""
LINEAR_WITHOUT_BIAS = "x, w0) <float[8, 16] w0> { y = MatMul (x, w0) }"
SHARED_INPUT = """x, w0, w1, bias) <float[8, 16] w0, float[8, 16] w1, float[16] bias> {
    query_product = MatMul (x, w0)
    query = Add (bias, query_product)
    key = MatMul (x, w1)
    y = Sub (query, key)
}"""
CHAIN = """x, w0, w1) <float[16, 8, 1, 1] w0, float[16, 16, 1, 1] w1> {
    a = Conv (x, w0)
    b = Relu (a)
    y = Conv (b, w1)
}"""
TOKENS, PLANES = (1, 6, 8), (1, 8, 5, 6)


def make_graph(body: str, shape: tuple[int, ...]) -> onnx.ModelProto:
    """Parse `y = f(x)`; initializers w0, w1, bias are random, the rest of the types are inferred."""
    inputs, _, rest = body.partition(")")
    declared, _, nodes = rest.partition("{")
    names = [name.strip() for name in inputs.split(",")[1:]]
    weights = dict(zip(names, declared.strip(" <>").split("float[")[1:], strict=False)) if "<" in declared else {}
    generator = np.random.default_rng(0)
    text = f"""<ir_version: 10, opset_import: ["" : 20]>
        agraph (float[{", ".join(map(str, shape))}] x) => (float y) {{ {nodes}"""
    model = onnx.parser.parse_model(text)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    for name, dims in weights.items():
        size = [int(length) for length in dims.partition("]")[0].split(",")]
        values = generator.normal(0, 0.3, size).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def quantized(model: onnx.ModelProto, outputs: bool = True) -> onnx.ModelProto:
    graph = ir.from_proto(model)
    names = {value.name for node in graph.graph for value in node.outputs} | {"x"}
    layers = [layer.name for layer in find_layers(graph)]
    return ir.to_proto(quantize(graph, dict.fromkeys(names, RANGE), layers, outputs=outputs).model)


def run(model: onnx.ModelProto, x: Array) -> Array:
    """Compute as engines do: with exact kernels where the CPU's own would saturate."""
    output: Array = load_onnxruntime(model.SerializeToString(), LoadOptions()).run(None, {"x": x})[0]
    return output


def count_ops(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


@pytest.mark.parametrize(
    ("body", "shape", "products", "most_steps"),
    [
        (LINEAR, TOKENS, 1, 0.01),  # the products are exact, only the order of float additions differs
        (LINEAR_WITHOUT_BIAS, TOKENS, 1, 0.01),
        (SHARED_INPUT, TOKENS, 2, 0.01),
        (CHAIN, PLANES, 0, 1.0),  # the values behind the ReLU have steps of half the size
    ],
    ids=["linear", "without bias", "shared input", "convolutions"],
)
def test_the_function_stays(body: str, shape: tuple[int, ...], products: int, most_steps: float) -> None:
    pairs = quantized(make_graph(body, shape))
    form = rewrite_for_onnxruntime(pairs)
    onnx.checker.check_model(form)
    x = np.random.default_rng(1).uniform(-RANGE, RANGE, shape).astype(np.float32)
    np.testing.assert_allclose(run(form, x), run(pairs, x), rtol=0, atol=most_steps * STEP)
    counts = count_ops(form)
    assert counts["MatMulIntegerToFloat"] == products
    assert counts["MatMul"] == 0
    assert (RUNTIME_DOMAIN in {entry.domain for entry in form.opset_import}) is (products > 0)


def test_activations_that_linear_layers_share_are_quantised_once() -> None:
    form = rewrite_for_onnxruntime(quantized(make_graph(SHARED_INPUT, TOKENS)))
    assert count_ops(form)["QuantizeLinear"] == 1
    assert count_ops(form)["DequantizeLinear"] == 0  # integer products read the integers


def test_values_behind_a_relu_take_the_whole_range_and_its_input_none() -> None:
    form = ir.from_proto(rewrite_for_onnxruntime(quantized(make_graph(CHAIN, PLANES))))
    constants = {name: value.const_value for name, value in form.graph.initializers.items()}
    found = {}
    for node in form.graph:
        if node.op_type == "QuantizeLinear":
            _, scale, zero = (value.name for value in node.inputs)
            found[node.inputs[0].name] = float(constants[scale].numpy()), int(constants[zero].numpy())
    assert found.keys() == {"x", "b"}, "a pair lies between the convolution and its ReLU"
    assert found["x"] == (pytest.approx(RANGE / 127), 128)
    assert found["b"] == (pytest.approx(RANGE / 255), 0)


@pytest.mark.parametrize("body", [LINEAR, CHAIN])
def test_float_graphs_stay_as_they_are(body: str) -> None:
    model = make_graph(body, TOKENS if body is LINEAR else PLANES)
    assert rewrite_for_onnxruntime(model) is model


def test_a_linear_layer_that_stays_in_float() -> None:
    model = make_graph(SHARED_INPUT, TOKENS)
    graph = ir.from_proto(model)
    first = find_layers(graph)[0].name
    form = rewrite_for_onnxruntime(ir.to_proto(quantize(graph, {"x": RANGE}, [first]).model))
    assert count_ops(form)["MatMulIntegerToFloat"] == count_ops(form)["MatMul"] == 1


def test_every_layer_of_the_demo_model_computes_in_integers(
    export_scenes_model: Callable[[Preset], Path], tmp_path: Path
) -> None:
    model = ir.load(export_scenes_model(Preset.FAST))
    layers = [layer for layer in find_layers(model) if layer.kind in QUANTIZABLE_KINDS]
    kinds = Counter(layer.node.op_type for layer in layers)
    names = {value.name: RANGE for node in model.graph for value in node.outputs}
    graph = ir.to_proto(quantize(model, names, [layer.name for layer in layers], outputs=True).model)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    form = rewrite_for_onnxruntime(graph)
    onnxruntime.InferenceSession(form.SerializeToString(), options, providers=["CPUExecutionProvider"])
    counts = count_ops(onnx.load(tmp_path / "optimized.onnx"))
    assert counts["MatMulIntegerToFloat"] == kinds["MatMul"]
    assert counts["QLinearConv"] == kinds["Conv"]
    assert counts["Conv"] + counts["FusedConv"] == 0
