"""INT8 graphs: QuantizeLinear and DequantizeLinear around convolutions and linear layers, and nowhere else.

Symmetric int8. Activations have one scale per tensor, from a calibrated range; weights have one per output channel and
are stored as int8. Biases stay float: runtimes add them to the int32 sums. The attention products, softmax, GELU,
residual adds, resizing and merging read and write unquantised tensors: int8 gains little there and costs accuracy.

Scales have the type of the tensor they scale, as opset 20 demands: float32 in float32 graphs, float16 in what `to_fp16`
made.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, unknown_name_error
from segpp_deploy.graph.precision.layers import Layer, LayerKind, find_layers, tensor_name
from segpp_deploy.ops.node_names import name_beside

LARGEST_INT8 = 127
"""Magnitudes are symmetric: -128 is not used, so that TensorRT and VNNI kernels agree."""

QUANTIZABLE_KINDS = frozenset(LayerKind) - {LayerKind.OTHER}
"""What can be quantised."""

DEFAULT_KINDS = QUANTIZABLE_KINDS - {
    LayerKind.DEPTHWISE,  # few operations a value: int8 rarely pays, and its channels differ in range
    LayerKind.HEAD_STAGE,  # what flips the boundaries of classes
    LayerKind.HEAD_FUSION,
    LayerKind.HEAD_PREDICT,
}
"""The layers that are quantised unless the caller names others."""

_DTYPES: dict[ir.DataType | None, type[np.floating]] = {
    ir.DataType.FLOAT: np.float32,
    ir.DataType.FLOAT16: np.float16,
}


@dataclass(frozen=True)
class QuantizeResult:
    """What `quantize` made.

    Args:
        model: the model that was given, rewritten.
        layers: names of the quantised layers, in graph order.
        tensors: names of the quantised activations, as ranges name them, in the order of the layers.
    """

    model: ir.Model
    layers: tuple[str, ...]
    tensors: tuple[str, ...]


def quantize(
    model: ir.Model, ranges: Mapping[str, float], layers: Collection[str] | None = None, *, outputs: bool = False
) -> QuantizeResult:
    """Quantise layers of an export of either lowering, in float32 or after `to_fp16`, in place.

    Args:
        model: with shapes and types, as `export` writes it.
        ranges: the largest magnitude that int8 shall represent, of each activation by its name in the float32 export.
        layers: names of the layers to quantise; None for those of `DEFAULT_KINDS`.
        outputs: quantise what convolutions make as well. ONNX Runtime needs it to compute them in int8.

    Raises:
        SegppError: a layer is unknown or quantised already, or a range is missing, zero, or not finite.
    """
    chosen = choose_layers(model, layers)
    quantizer = _Quantizer(model.graph, ranges)
    for layer in chosen:
        fusable = layer.node.op_type == "Conv" and not layer.output.is_graph_output()
        quantizer.quantize_layer(layer, output=outputs and fusable)
    return QuantizeResult(model, tuple(layer.name for layer in chosen), tuple(quantizer.tensors))


def choose_layers(model: ir.Model, names: Collection[str] | None = None) -> tuple[Layer, ...]:
    """Return the layers with these names, or those of `DEFAULT_KINDS`, in graph order.

    Raises:
        SegppError: a name is unknown, or a layer is quantised already.
    """
    found = find_layers(model)
    if names is not None:
        known = [layer.name for layer in found]
        for name in sorted(set(names) - set(known)):
            raise unknown_name_error("layer", name, known)
    chosen = tuple(layer for layer in found if (layer.kind in DEFAULT_KINDS if names is None else layer.name in names))
    for layer in chosen:
        if not layer.weight.is_initializer():
            raise SegppError(
                f"Layer {layer.name} is quantised already.", "a float32 or fp16 graph.", "Start from the exported file."
            )
    return chosen


def quantize_weight(
    weight: npt.NDArray[np.floating], axis: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.floating]]:
    """Return int8 values and scales [C'] of the weight's own float type, one for each index of `axis`.

    No value is clipped, so that `values * scales` is within half a scale of the weight.

    Example:
        >>> values, scales = quantize_weight(np.array([[127.0, 1.0], [0.0, -0.5]], np.float32), axis=0)
        >>> values.tolist(), [round(float(scale), 4) for scale in scales]
        ([[127, 1], [0, -127]], [1.0, 0.0039])
    """
    others = tuple(index for index in range(weight.ndim) if index != axis)
    largest = np.abs(weight.astype(np.float64)).max(axis=others)
    scales = np.array([_scale(float(value) or 1.0, weight.dtype.type) for value in largest], weight.dtype)
    shape = [-1 if index == axis else 1 for index in range(weight.ndim)]
    values = np.rint(weight.astype(np.float64) / scales.astype(np.float64).reshape(shape))
    return values.clip(-LARGEST_INT8, LARGEST_INT8).astype(np.int8), scales


def _scale(largest: float, dtype: type[np.floating]) -> np.floating:
    """Return the smallest scale of `dtype` whose range reaches `largest`."""
    exact = largest / LARGEST_INT8
    scale: np.floating = dtype(exact)
    return dtype(np.nextafter(scale, dtype(np.inf))) if float(scale) < exact else scale


class _Quantizer:
    def __init__(self, graph: ir.Graph, ranges: Mapping[str, float]) -> None:
        self._graph = graph
        self._ranges = ranges
        self._activations: dict[ir.Value, ir.Value] = {}
        self._weights: dict[tuple[ir.Value, int], ir.Value] = {}
        self.tensors: dict[str, None] = {}  # an ordered set

    def quantize_layer(self, layer: Layer, *, output: bool) -> None:
        layer.node.replace_input_with(0, self._activation(layer, layer.input))
        layer.node.replace_input_with(1, self._weight(layer))
        if output:
            uses = tuple(layer.output.uses())  # before the pair is one of them
            restored = self._activation(layer, layer.output)
            for use in uses:
                use.node.replace_input_with(use.idx, restored)

    def _activation(self, layer: Layer, value: ir.Value) -> ir.Value:
        if value not in self._activations:
            name = tensor_name(value)
            scale = _scale(self._range_of(name, layer), _DTYPES[value.dtype])
            self._activations[value] = self._add_pair(layer, value, np.asarray(scale))
            self.tensors[name] = None
        return self._activations[value]

    def _range_of(self, name: str, layer: Layer) -> float:
        largest = self._ranges.get(name)
        if largest is None or not math.isfinite(largest) or largest <= 0:
            found = "no range" if largest is None else f"the range {largest}"
            raise SegppError(
                f"The tensor {name!r} of layer {layer.name} has {found}.",
                "a finite range above 0 for every tensor that a quantised layer reads.",
                "Calibrate again: " + commands.calibrate(),
            )
        return largest

    def _add_pair(self, layer: Layer, value: ir.Value, scale: npt.NDArray[np.floating]) -> ir.Value:
        constants = [self._constant(f"{value.name}.scale", scale), self._constant(f"{value.name}.zero", np.int8(0))]
        names = f"{value.name}.quantized", f"{value.name}.dequantized"
        quantized = self._node(layer, "QuantizeLinear", [value, *constants], names[0], ir.DataType.INT8)
        restored = self._node(layer, "DequantizeLinear", [quantized, *constants], names[1], value.dtype)
        nodes = [_producer(quantized), _producer(restored)]
        maker = value.producer()
        if maker is None:
            self._graph.insert_before(self._graph[0], nodes)
        else:
            self._graph.insert_after(maker, nodes)
        return restored

    def _weight(self, layer: Layer) -> ir.Value:
        weight, axis = layer.weight, layer.output_axis
        if (weight, axis) not in self._weights:
            assert weight.const_value is not None
            values, scales = quantize_weight(weight.const_value.numpy(), axis)
            constants = [
                self._constant(f"{weight.name}.quantized", values),
                self._constant(f"{weight.name}.scale", scales),
                self._constant(f"{weight.name}.zero", np.zeros(scales.shape, np.int8)),
            ]
            restored = self._node(
                layer, "DequantizeLinear", constants, f"{weight.name}.dequantized", weight.dtype, {"axis": axis}
            )
            restored.shape = weight.shape
            self._graph.insert_before(layer.node, _producer(restored))
            self._weights[weight, axis] = restored
        restored = self._weights[weight, axis]
        if len(tuple(weight.uses())) == 1 and weight.name is not None:  # this layer's, which is about to end
            self._graph.initializers.pop(weight.name, None)
        return restored

    def _constant(self, name: str, array: npt.ArrayLike) -> ir.Value:
        array = np.asarray(array)
        tensor = ir.tensor(array, name=name)
        value = ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(array.shape), const_value=tensor)
        self._graph.register_initializer(value)
        return value

    def _node(
        self,
        layer: Layer,
        op_type: str,
        inputs: list[ir.Value],
        name: str,
        dtype: ir.DataType | None,
        attributes: Mapping[str, int] | None = None,
    ) -> ir.Value:
        assert dtype is not None
        output = ir.Value(name=name, type=ir.TensorType(dtype), shape=inputs[0].shape)
        ir.node(op_type, inputs, attributes, outputs=[output], name=name_beside(layer.node.name, name))
        return output


def _producer(value: ir.Value | None) -> ir.Node:
    assert value is not None
    node = value.producer()
    assert node is not None
    return node
