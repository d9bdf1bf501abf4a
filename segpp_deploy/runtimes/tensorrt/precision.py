"""Which number formats a network computes in: read back from what the parser made, not from what was asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from segpp_deploy.config import Precision
from segpp_deploy.errors import SegppError

LayerTypes = dict[str, dict[str, int]]

# The layers that hold nearly all of the arithmetic.
_HEAVY_KINDS = ("CONVOLUTION", "DECONVOLUTION", "MATRIX_MULTIPLY", "PLUGIN_V3")
_PLUGIN = "plugin_v3"
# Layers that pass values on unchanged, between a dequantisation and the layer that it feeds.
_PASSING_KINDS = ("SHUFFLE", "UNSQUEEZE", "SQUEEZE", "IDENTITY")
_FORMATS = {"FLOAT": Precision.FP32, "HALF": Precision.FP16, "BF16": Precision.BF16}
# What may stand beside the format of the heavy layers.
_WITH = {
    Precision.FP32: {Precision.FP32},
    Precision.FP16: {Precision.FP16, Precision.FP32},
    Precision.BF16: {Precision.BF16, Precision.FP32},
    Precision.INT8: set(Precision),
}


def count_layer_types(network: Any) -> LayerTypes:
    """Count a network's heavy layers by kind and number format.

    A convolution or matrix product whose data input is dequantised computes in int8; others in the format of their
    output, since the network is strongly typed.
    """
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    producers = {layer.get_output(index).name: layer for layer in layers for index in range(layer.num_outputs)}
    counts: LayerTypes = defaultdict(lambda: defaultdict(int))
    for layer in layers:
        kind = _kind(layer)
        if kind in _HEAVY_KINDS:
            counts[kind.lower()][_layer_format(layer, producers)] += 1
    return {kind: dict(sorted(formats.items())) for kind, formats in sorted(counts.items())}


def require_precision(types: Mapping[str, Mapping[str, int]], precision: Precision, source: str) -> None:
    """Make sure that heavy layers compute in the requested format, and in no other that does not belong to it.

    Some must, except that a network without such layers passes for fp32.

    Raises:
        SegppError: none does, or some compute in a foreign format; with the counts.
    """
    found = {format for kind, formats in types.items() if kind != _PLUGIN for format in formats}
    allowed = {str(one) for one in _WITH[precision]}
    if (str(precision) in found or (not found and precision is Precision.FP32)) and found <= allowed:
        return
    raise SegppError(
        f"The network of {source} does not compute in {precision}: {describe_layer_types(types)}.",
        f"convolutions and matrix products in {precision}, as the graph's metadata says.",
        "Export the graph again with that precision; the number formats are part of the graph.",
    )


def describe_layer_types(types: Mapping[str, Mapping[str, int]]) -> str:
    """Write counts in one line.

    Example:
        >>> describe_layer_types({"convolution": {"fp16": 40, "fp32": 3}, "matrix_multiply": {"fp16": 62}})
        'convolution: 40 fp16, 3 fp32; matrix multiply: 62 fp16'
    """
    parts = (
        f"{kind.replace('_', ' ')}: {', '.join(f'{count} {format}' for format, count in formats.items())}"
        for kind, formats in types.items()
    )
    return "; ".join(parts) or "it has no such layers"


def _layer_format(layer: Any, producers: Mapping[str, Any]) -> str:
    if layer.num_inputs and _kind(_data_producer(layer, producers)) == "DEQUANTIZE":
        return str(Precision.INT8)
    name = str(layer.get_output(0).dtype).rpartition(".")[2]
    return str(_FORMATS.get(name, name.lower()))


def _data_producer(layer: Any, producers: Mapping[str, Any]) -> Any:
    producer = producers.get(layer.get_input(0).name)
    while producer is not None and _kind(producer) in _PASSING_KINDS:
        producer = producers.get(producer.get_input(0).name)
    return producer


def _kind(layer: Any) -> str:
    return "" if layer is None else str(layer.type).rpartition(".")[2]
