from __future__ import annotations

from collections.abc import Sequence

import onnx
import onnx.parser
import pytest
import torch

from segpp_deploy.config import Precision, TorchDevice
from segpp_deploy.errors import SegppError
from segpp_deploy.runtimes.torch.program import REFERENCE_OPS, TorchProgram, load_program

HEAD = '<ir_version: 9, opset_import: ["" : 20, "segpp" : 1]> small '


def make(
    body: str, outputs: str = "float[1, 4, 8] y", precision: Precision = Precision.FP32, names: Sequence[str] = ()
) -> TorchProgram:
    """A program that takes x [1, 4, 8], with weights w [8, 8] and a bias b [8], of nodes with these names."""
    model = onnx.parser.parse_model(f"{HEAD} (float[1, 4, 8] x) => ({outputs}) {{ {body} }}")
    for node, name in zip(model.graph.node, names, strict=False):
        node.name = name
    for name, shape in (("w", (8, 8)), ("b", (8,))):
        values = torch.rand(shape, generator=torch.Generator().manual_seed(1)).numpy()
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    return TorchProgram(model, TorchDevice.CPU, precision)


X = torch.rand(1, 4, 8, generator=torch.Generator().manual_seed(0))
ATTENTION = """
    key = Transpose <perm = [0, 2, 1]> (x)
    scores = MatMul (x, key)
    weights = Softmax <axis = -1> (scores)
    y = MatMul (weights, x)
"""


def operations(program: TorchProgram) -> list[str]:
    return [step.operation for step in program.steps]


def test_a_product_and_its_bias_are_one_call() -> None:
    apart = make("product = MatMul (x, w) same = Identity (product) y = Add (same, b)")
    for added in ("b, product", "product, b"):
        program = make(f"product = MatMul (x, w) y = Add ({added})")
        assert operations(program) == ["Linear"]
        torch.testing.assert_close(program.run(X)[0], apart.run(X)[0])


@pytest.mark.parametrize(
    "body",
    [
        "product = MatMul (x, w) y = Add (product, x)",  # a residual
        "product = MatMul (x, w) sum = Add (product, b) y = Add (sum, product)",  # read twice
    ],
)
def test_other_sums_stay(body: str) -> None:
    assert "Linear" not in operations(make(body))


def test_attention_is_one_call() -> None:
    program = make(ATTENTION)
    assert operations(program) == ["Transpose", "ScaledDotProductAttention"]
    weights = (X @ X.mT).softmax(-1)
    torch.testing.assert_close(program.run(X)[0], weights @ X)


def test_what_is_added_to_scores_is_the_mask() -> None:
    body = """
        axis = Constant <value = int64[1] {2}> ()
        mean = ReduceMean (x, axis)
        row = Transpose <perm = [0, 2, 1]> (mean)
        key = Transpose <perm = [0, 2, 1]> (x)
        scores = MatMul (x, key)
        sum = Add (row, scores)
        weights = Softmax (sum)
        y = MatMul (weights, x)
    """
    program = make(body)
    assert operations(program) == ["ReduceMean", "Transpose", "Transpose", "ScaledDotProductAttention"]
    scores = X @ X.mT + X.mean(2, keepdim=True).mT
    torch.testing.assert_close(program.run(X)[0], scores.softmax(-1) @ X)


def test_casts_around_the_softmax_are_inside() -> None:
    body = """
        half = Cast <to = 10> (x)
        key = Transpose <perm = [0, 2, 1]> (half)
        scores = MatMul (half, key)
        wide = Cast <to = 1> (scores)
        weights = Softmax (wide)
        narrow = Cast <to = 10> (weights)
        mixed = MatMul (narrow, half)
        y = Cast <to = 1> (mixed)
    """
    program = make(body)
    assert operations(program) == ["Cast", "Transpose", "ScaledDotProductAttention", "Cast"]
    assert (program.run(X)[0] - (X @ X.mT).softmax(-1) @ X).abs().max() < 2e-3


@pytest.mark.parametrize("observed", ["scores", "weights"])
def test_attention_that_is_looked_into_comes_apart(observed: str) -> None:
    program = make(ATTENTION, f"float[1, 4, 8] y, float[1, 4, 4] {observed}")
    assert "ScaledDotProductAttention" not in operations(program)
    torch.testing.assert_close(program.run(X)[0], make(ATTENTION).run(X)[0])


def test_numbers_made_of_shapes_stay_numbers() -> None:
    body = """
        shape = Shape (x)
        place = Constant <value = int64[1] {0}> ()
        batch = Gather (shape, place)
        rest = Constant <value = int64[1] {-1}> ()
        sides = Concat <axis = 0> (batch, rest)
        y = Reshape (x, sides)
    """
    assert make(body, "float[1, 32] y").run(X.repeat(3, 1, 1))[0].shape == (3, 32)


def test_custom_nodes_are_computed_by_what_is_given() -> None:
    body = "rows = segpp.TokenMatch <grid_h = 2, grid_w = 2, stride_y = 2, stride_x = 2, num_removed = 2> (x)"
    model = onnx.parser.parse_model(f"{HEAD} (float[1, 4, 8] x) => (int32[1, 4] rows) {{ {body} }}")
    found = TorchProgram(model, TorchDevice.CPU, Precision.FP32).run(X)[0]
    assert torch.equal(found, torch.ops.segpp.token_match(X, 2, 2, 2, 2, 2))
    seen: list[object] = []
    ops = {**REFERENCE_OPS, "TokenMatch": lambda *given: seen.extend(given[1:]) or found}
    TorchProgram(model, TorchDevice.CPU, Precision.FP32, ops).run(X)
    assert seen == [2, 2, 2, 2, 2]


def test_an_optional_input_that_is_missing_is_none() -> None:
    body = "map = Constant <value = int32[1, 3] {0, 0, 1}> () y = segpp.TokenUnmerge (x, map)"
    assert torch.equal(make(body, "float[1, 3, 8] y").run(X)[0], X[:, [0, 0, 1]])


def test_bfloat16_is_for_the_encoders_products() -> None:
    body = "one = MatMul (x, w) two = LayerNormalization (one, b) y = MatMul (two, w)"
    layer = "encoder.stages.0.layers.0"
    in_encoder, in_head = (
        make(body, precision=Precision.BF16, names=(f"{product}/n", f"{layer}.norm2/n", f"{product}/n"))
        for product in (f"{layer}.attention.query", "head.predict")
    )
    assert [step.dtype for step in in_encoder.steps] == [torch.bfloat16, torch.float32, torch.bfloat16]
    assert {step.dtype for step in in_head.steps} == {torch.float32}
    exact, rounded = in_head.run(X)[0], in_encoder.run(X)[0]
    assert rounded.dtype is torch.bfloat16
    assert 0 < (exact - rounded).abs().max() < 0.1


def test_unknown_nodes_are_named() -> None:
    with pytest.raises(SegppError, match="has nodes that no export has: Det, LSTM"):
        make("y = Det (x) z = LSTM (x, x, x)")


@pytest.mark.parametrize("content", [b"not a graph at all", b""])
def test_what_is_no_graph(content: bytes) -> None:
    with pytest.raises(SegppError, match=r"PyTorch cannot load b0\.engine"):
        load_program(content, "b0.engine", TorchDevice.CPU, Precision.FP32)
