"""Labels compared phase by phase equal labels of the upsampled logits."""

from __future__ import annotations

import numpy as np
import onnx
import onnx.parser
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.config import Precision
from segpp_deploy.graph.rewrites.labels_in_phases import MOST_CLASSES, LabelsInPhases, Tap, phases_of
from segpp_deploy.graph.rewrites.openvino import rewrite_for_openvino


def tail(
    classes: int, height: int, width: int, scales: tuple[float, float] = (4, 4), batch: str = "1"
) -> onnx.ModelProto:
    model = onnx.parser.parse_model(f"""<ir_version: 10, opset_import: ["" : 20]>
        agraph (float[{batch}, {classes}, {height}, {width}] logits) => (uint8[a, b, c] labels)
        <float[4] scales = {{1, 1, {scales[0]}, {scales[1]}}}, int64[1] k = {{1}}, int64[1] axis = {{1}}> {{
            full = Resize <mode = "linear", coordinate_transformation_mode = "half_pixel"> (logits, , scales)
            best, index = TopK <axis = 1> (full, k)
            labels64 = Squeeze (index, axis)
            labels = Cast <to = 2> (labels64)
        }}""")
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def run(model: onnx.ModelProto, logits: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    labels: np.ndarray = session.run(None, {"logits": logits})[0]
    return labels


def in_phases(model: onnx.ModelProto) -> onnx.ModelProto:
    result = LabelsInPhases()(ir.from_proto(model))
    assert result.modified
    rewritten = ir.to_proto(result.model)
    onnx.checker.check_model(rewritten, full_check=True)
    return rewritten


@settings(deadline=None, max_examples=30)  # each builds a session
@given(
    classes=st.integers(2, 7),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    scale=st.sampled_from([2, 4, 8]),
    seed=st.integers(0, 99),
)
def test_equal_to_pytorchs_upsampling(classes: int, height: int, width: int, scale: int, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(size=(2, classes, height, width)).astype(np.float32)
    full = torch.nn.functional.interpolate(torch.from_numpy(logits), scale_factor=scale, mode="bilinear")
    best = full.topk(2, dim=1).values
    clear = (best[:, 0] - best[:, 1] > 1e-5).numpy()
    found = run(in_phases(tail(classes, height, width, (scale, scale), batch="2")), logits)
    assert found.shape == clear.shape
    np.testing.assert_array_equal(found[clear], full.argmax(dim=1).numpy()[clear])


def test_a_dynamic_batch() -> None:
    model = tail(3, 4, 5, batch="n")
    logits = np.random.default_rng(0).normal(size=(3, 3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(run(in_phases(model), logits), run(model, logits))


@pytest.mark.parametrize("scales", [(4, 2), (3, 3), (2.5, 2.5)])
def test_other_enlargements_stay(scales: tuple[float, float]) -> None:
    assert not LabelsInPhases()(ir.from_proto(tail(3, 4, 6, scales))).modified


def test_many_classes_stay() -> None:
    assert LabelsInPhases()(ir.from_proto(tail(MOST_CLASSES, 4, 6))).modified
    assert not LabelsInPhases()(ir.from_proto(tail(MOST_CLASSES + 1, 4, 6))).modified


def test_the_taps_of_the_usual_enlargement() -> None:
    assert phases_of(4) == (Tap(-1, 0.375), Tap(-1, 0.125), Tap(1, 0.125), Tap(1, 0.375))


def test_openvinos_form_has_no_resize_of_the_labels() -> None:
    operations = {node.op_type for node in rewrite_for_openvino(tail(3, 4, 5), Precision.FP32).graph.node}
    assert "Resize" not in operations
    assert "Squeeze" not in operations, "what is not used any more is gone"


def test_openvinos_form_of_a_graph_without_labels_keeps_its_resize() -> None:
    model = tail(3, 4, 5)
    del model.graph.node[1:]
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("full", onnx.TensorProto.FLOAT, None))
    assert [node.op_type for node in rewrite_for_openvino(model, Precision.FP32).graph.node] == ["Resize"]
