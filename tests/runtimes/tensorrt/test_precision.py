from __future__ import annotations

import pytest

from segpp_deploy.config import Precision
from segpp_deploy.errors import SegppError
from segpp_deploy.runtimes.tensorrt.precision import require_precision

CONVOLUTIONS = "convolution"


@pytest.mark.parametrize(
    ("formats", "precision"),
    [
        ({"fp32": 9}, Precision.FP32),
        ({"fp16": 9}, Precision.FP16),
        ({"fp16": 8, "fp32": 1}, Precision.FP16),  # LayerNorm, similarity and head stay in float32
        ({"int8": 4, "fp16": 3, "fp32": 1}, Precision.INT8),
        ({"bf16": 9, "fp32": 1}, Precision.BF16),
    ],
)
def test_formats_that_fit(formats: dict[str, int], precision: Precision) -> None:
    require_precision({CONVOLUTIONS: formats}, precision, "a.onnx")


@pytest.mark.parametrize(
    ("formats", "precision"),
    [
        ({"fp16": 1, "fp32": 8}, Precision.FP32),
        ({"int8": 1, "fp32": 8}, Precision.FP32),
        ({"fp32": 9}, Precision.FP16),
        ({"int8": 1, "fp16": 8}, Precision.FP16),
        ({"fp16": 9}, Precision.INT8),
        ({"fp16": 9, "bf16": 1}, Precision.BF16),
        ({"fp32": 8, "fp8": 1}, Precision.INT8),
        ({"fp32": 8, "fp8": 1}, Precision.FP32),
        ({}, Precision.FP16),
    ],
)
def test_formats_that_do_not_fit(formats: dict[str, int], precision: Precision) -> None:
    with pytest.raises(SegppError, match=rf"a\.onnx does not compute in {precision}") as caught:
        require_precision({CONVOLUTIONS: formats} if formats else {}, precision, "a.onnx")
    assert str(precision) in caught.value.expected


def test_plugins_do_not_stand_for_the_network() -> None:
    types = {CONVOLUTIONS: {"fp16": 9}, "plugin_v3": {"int32": 2, "fp32": 4}}
    require_precision(types, Precision.FP16, "a.onnx")
    with pytest.raises(SegppError, match="plugin v3: 1 fp16"):
        require_precision({CONVOLUTIONS: {"fp32": 9}, "plugin_v3": {"fp16": 1}}, Precision.FP16, "a.onnx")


def test_a_network_without_heavy_layers_is_float32() -> None:
    require_precision({}, Precision.FP32, "a.onnx")
