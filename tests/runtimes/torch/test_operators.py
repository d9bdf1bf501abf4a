"""Every ONNX operator as PyTorch computes it, beside ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from segpp_deploy.config import Precision, TorchDevice
from segpp_deploy.errors import SegppError
from segpp_deploy.runtimes.torch.operators import OPERATORS
from segpp_deploy.runtimes.torch.program import TorchProgram

Array = NDArray[Any]
Case = tuple[str, Sequence[Array | None], dict[str, Any]]

RANDOM = np.random.default_rng(0)
PLANES = RANDOM.standard_normal((2, 4, 6, 10), np.float32)
TOKENS = RANDOM.standard_normal((2, 12, 8), np.float32)
TIES = np.array([[3, 1, 3, 2, 3, 1]], np.float32)
INDEX = np.array([[4, 0, 4, 2], [1, 1, 0, 3]], np.int64)
POSITIVE = np.abs(TOKENS) + 0.5


def random(*shape: int) -> Array:
    return RANDOM.standard_normal(shape, np.float32)


def ints(*values: int) -> Array:
    return np.array(values, np.int64)


CASES: list[Case] = [
    *((name, [TOKENS], {}) for name in ("Abs", "Floor", "Round", "Sign", "Exp", "Erf", "Relu", "Sigmoid", "Tanh")),
    *((name, [TOKENS], {}) for name in ("Identity", "Neg", "Softmax", "Shape", "Transpose")),
    *((name, [POSITIVE], {}) for name in ("Log", "Sqrt", "Reciprocal")),
    *((name, [TOKENS, random(2, 12, 8)], {}) for name in ("Add", "Sub", "Mul", "Div", "Max", "Min")),
    *((name, [TOKENS, random(8)], {}) for name in ("Add", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")),
    *((name, [TOKENS > 0, TOKENS < 1], {}) for name in ("And", "Or")),
    ("Not", [TOKENS > 0], {}),
    ("Equal", [INDEX, ints(4, 0, 0, 2)], {}),
    ("Pow", [POSITIVE, np.array(1.5, np.float32)], {}),
    ("Div", [np.array([-7, 7], np.int64), ints(2, 2)], {}),
    ("Where", [TOKENS > 0, random(2, 12, 8), random(1, 12, 1)], {}),
    ("Clip", [TOKENS, np.array(-0.5, np.float32), np.array(0.5, np.float32)], {}),
    ("Clip", [TOKENS, None, np.array(0.5, np.float32)], {}),
    ("Cast", [TOKENS > 0], {"to": onnx.TensorProto.FLOAT}),
    ("Cast", [POSITIVE], {"to": onnx.TensorProto.UINT8}),
    ("Gelu", [TOKENS], {}),
    ("Gelu", [TOKENS], {"approximate": "tanh"}),
    ("Softmax", [PLANES], {"axis": 1}),
    ("Shape", [PLANES], {"start": 1, "end": 3}),
    ("Reshape", [TOKENS, ints(2, 3, -1)], {}),
    ("Reshape", [TOKENS, ints(0, -1)], {}),
    ("Transpose", [PLANES], {"perm": [0, 2, 3, 1]}),
    ("Unsqueeze", [TOKENS, ints(0, -1)], {}),
    ("Squeeze", [random(2, 1, 3, 1), ints(1, -1)], {}),
    ("Squeeze", [random(2, 1, 3, 1)], {}),
    ("Concat", [TOKENS, random(2, 3, 8)], {"axis": 1}),
    ("Expand", [random(2, 1, 4), ints(1, 3, 4)], {}),
    ("Slice", [PLANES, ints(1, -4), ints(5, 2**40), ints(2, 3), ints(2, 1)], {}),
    ("Slice", [TOKENS, ints(0, 2), ints(1, 7)], {}),
    ("Split", [TOKENS, ints(5, 7)], {"axis": 1}),
    ("Split", [TOKENS], {"axis": 1, "num_outputs": 2}),
    ("Pad", [random(2, 3), ints(0, 0, 0, 4)], {}),
    ("Pad", [random(2, 3), ints(1, 2, 3, 0), np.array(7, np.float32)], {}),
    ("Gather", [TOKENS, ints(3, 0, 3)], {"axis": 1}),
    ("Gather", [TOKENS, np.array([[-1, 2]], np.int64)], {"axis": 2}),
    ("Gather", [TOKENS, np.array(1, np.int64)], {}),
    ("GatherElements", [random(2, 5), INDEX], {"axis": 1}),
    ("GatherND", [random(2, 5, 3), INDEX[..., None]], {"batch_dims": 1}),
    ("GatherND", [random(2, 5, 3), np.array([[0, 4], [1, 2]], np.int64)], {}),
    ("ScatterElements", [random(2, 5), np.array([[4, 0], [1, 3]], np.int64), random(2, 2)], {"axis": 1}),
    ("TopK", [TIES, ints(4)], {"axis": 1}),
    ("TopK", [TIES, ints(4)], {"axis": 1, "largest": 0}),
    ("TopK", [TIES, ints(1)], {}),
    ("TopK", [TIES, ints(1)], {"largest": 0}),
    ("ArgMax", [TIES], {"axis": 1}),
    ("ArgMax", [PLANES], {"axis": 1, "keepdims": 0}),
    *((name, [PLANES, ints(1, -1)], {}) for name in ("ReduceMax", "ReduceMin", "ReduceSum", "ReduceMean", "ReduceL2")),
    ("ReduceSum", [PLANES], {"keepdims": 0}),
    ("ReduceSum", [PLANES], {"noop_with_empty_axes": 1}),
    ("ReduceMax", [PLANES.astype(np.uint8), ints(3)], {"keepdims": 0}),
    ("ReduceSum", [INDEX, ints(1)], {}),
    ("MatMul", [TOKENS, random(2, 8, 5)], {}),
    ("MatMul", [TOKENS, random(8, 5)], {}),
    ("Gemm", [random(3, 4), random(5, 4), random(5)], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    ("Gemm", [random(4, 3), random(4, 5)], {"transA": 1}),
    ("LayerNormalization", [TOKENS, random(8), random(8)], {"epsilon": 1e-6}),
    ("Conv", [PLANES, random(6, 4, 3, 3), random(6)], {"pads": [1, 1, 1, 1], "strides": [2, 1]}),
    ("Conv", [PLANES, random(8, 1, 3, 3)], {"group": 4, "dilations": [2, 2]}),
    ("AveragePool", [PLANES], {"kernel_shape": [4, 4], "strides": [4, 4], "ceil_mode": 1}),
    ("AveragePool", [PLANES], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("Resize", [PLANES, None, None, ints(2, 4, 21, 40)], {"mode": "linear"}),
    ("Resize", [PLANES, None, np.array([1, 1, 10 / 3, 0.5], np.float32)], {"mode": "linear"}),
    (
        "Resize",
        [PLANES, None, None, ints(2, 4, 13, 31)],
        {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
]
JOINED = {"Linear", "ScaledDotProductAttention"}


def make_model(case: Case) -> onnx.ModelProto:
    """A graph of one node; its first input is the graph's, the others are constants."""
    op_type, arrays, attributes = case
    names = [f"in{number}" if array is not None else "" for number, array in enumerate(arrays)]
    num_outputs = 2 if op_type in ("Split", "TopK") else 1
    node = helper.make_node(op_type, names, [f"out{number}" for number in range(num_outputs)], **attributes)
    assert arrays[0] is not None
    dtype = helper.np_dtype_to_tensor_dtype(arrays[0].dtype)
    given = helper.make_tensor_value_info(names[0], dtype, arrays[0].shape)
    constants = [
        numpy_helper.from_array(array, name)
        for array, name in zip(arrays[1:], names[1:], strict=True)
        if array is not None
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
    graph = helper.make_graph([node], "one", [given], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def run_torch(model: onnx.ModelProto, image: Array | None) -> list[Array]:
    program = TorchProgram(model, TorchDevice.CPU, Precision.FP32)
    assert image is not None
    return [output.numpy() for output in program.run(torch.from_numpy(image))]


@pytest.mark.parametrize("case", CASES, ids=[f"{number}-{case[0]}" for number, case in enumerate(CASES)])
def test_equals_onnxruntime(case: Case) -> None:
    model = make_model(case)
    inferred = onnx.shape_inference.infer_shapes(model)  # ONNX Runtime wants the outputs' types
    session = onnxruntime.InferenceSession(inferred.SerializeToString(), providers=["CPUExecutionProvider"])
    found = run_torch(model, case[1][0])
    for mine, other in zip(found, session.run(None, {"in0": case[1][0]}), strict=True):
        assert (mine.dtype, mine.shape) == (other.dtype, other.shape)
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5)


def test_every_operator_has_a_case() -> None:
    assert {case[0] for case in CASES} | JOINED == set(OPERATORS)


@pytest.mark.parametrize(
    ("case", "complaint"),
    [
        (("Cast", [TOKENS], {"to": onnx.TensorProto.DOUBLE}), "a cast to type DOUBLE"),
        (("Slice", [TOKENS, ints(3), ints(0), ints(1), ints(-1)], {}), "runs backwards"),
        (("Pad", [PLANES, ints(*[0] * 8)], {"mode": "reflect"}), "other than a constant"),
        (("GatherND", [PLANES, np.zeros((2, 4, 3, 1), np.int64)], {"batch_dims": 2}), "below 2 axes"),
        (("ScatterElements", [TIES, np.zeros((1, 1), np.int64), TIES[:, :1]], {"reduction": "add"}), "with add"),
        (("ArgMax", [TIES], {"axis": 1, "select_last_index": 1}), "last of equal"),
        (("Conv", [PLANES, random(6, 4, 3, 3)], {"pads": [0, 0, 1, 1]}), "not padded the same"),
        (("Conv", [PLANES, random(6, 4, 3, 3)], {"auto_pad": "SAME_UPPER"}), "not padded the same"),
        (("AveragePool", [PLANES], {"kernel_shape": [2, 2], "dilations": [2, 2]}), "with holes"),
        (("Resize", [PLANES, None, None, ints(2, 4, 9, 9)], {"mode": "cubic"}), "cubic, half_pixel"),
        (("Resize", [PLANES, None, None, ints(2, 4, 9, 9)], {"mode": "nearest"}), "nearest, half_pixel"),
        (("Resize", [PLANES, None, None, ints(2, 8, 6, 10)], {"mode": "linear"}), "other than planes"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_no_export_has_is_refused(case: Case, complaint: str) -> None:
    with pytest.raises(SegppError, match=complaint):
        run_torch(make_model(case), case[1][0])
