"""Tiny exported files with layers that TensorRT computes: a convolution or matrix product in a chosen number format."""

from __future__ import annotations

from pathlib import Path

from segpp_deploy.config import OutputKind, Precision
from segpp_deploy.graph.metadata import ExportMetadata
from tests.support.tiny_graphs import tiny_metadata, with_precision, write_tiny

_PLANES = """
    pixels = Cast <to = 1> (image)
    planes = Transpose <perm = [0, 3, 1, 2]> (pixels)
    small = AveragePool <kernel_shape = [4, 4], strides = [4, 4]> (planes)
"""
_WEIGHTS = "weights = ConstantOfShape <value = float[1] {0.5}> (weights_shape)"
_SHAPE = "weights_shape = Constant <value = int64[4] {3, 3, 1, 1}> ()"

CONVOLUTION = f"{_PLANES} {_SHAPE} {_WEIGHTS} logits = Conv (small, weights)"
HALF_CONVOLUTION = f"""{_PLANES} {_SHAPE} {_WEIGHTS}
    half_small = Cast <to = 10> (small)
    half_weights = Cast <to = 10> (weights)
    half_logits = Conv (half_small, half_weights)
    logits = Cast <to = 1> (half_logits)
"""
QUANTISED_CONVOLUTION = f"""{_PLANES} {_SHAPE} {_WEIGHTS}
    scale = Constant <value = float {{0.1}}> ()
    zero = Constant <value = int8 {{0}}> ()
    quantised = QuantizeLinear (small, scale, zero)
    dequantised = DequantizeLinear (quantised, scale, zero)
    quantised_weights = QuantizeLinear (weights, scale, zero)
    dequantised_weights = DequantizeLinear (quantised_weights, scale, zero)
    logits = Conv (dequantised, dequantised_weights)
"""
UNKNOWN_OPERATOR = f"{_PLANES} logits = Wobble (small)"
TOO_LONG_TOP_K = f"""{_PLANES}
    flat_shape = Constant <value = int64[2] {{1, -1}}> ()
    flat = Reshape (planes, flat_shape)
    k = Constant <value = int64[1] {{5000}}> ()
    values, indices = TopK (flat, k)
    axes = Constant <value = int64[1] {{1}}> ()
    largest = ReduceMax <keepdims = 1> (values, axes)
    logits = Add (small, largest)
"""


def write_graph(
    path: Path, body: str = CONVOLUTION, precision: Precision = Precision.FP32, batch: int | None = 1
) -> Path:
    """Write an exported file whose metadata claims `precision`."""
    return write_tiny(path, graph_metadata(precision, batch), body)


def graph_metadata(precision: Precision = Precision.FP32, batch: int | None = 1) -> ExportMetadata:
    """The metadata of such a file: logits of a uint8 picture."""
    return with_precision(tiny_metadata(OutputKind.LOGITS, batch=batch), precision)
