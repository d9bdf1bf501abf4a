"""The ONNX operators of our exports as calls of PyTorch.

A line of `OPERATORS` is a function of a node's attributes and inputs; an optional input that is missing is None. What
an operator reads as numbers and not as data (shapes, axes, counts) lies on the CPU, see `COUNTS`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import onnx
import torch
import torch.nn.functional as F

from segpp_deploy.errors import SegppError
from segpp_deploy.runtimes.torch.info import TORCH

Attributes = Mapping[str, Any]
Results = torch.Tensor | tuple[torch.Tensor, ...]
Operator = Callable[..., Results]

COUNTS: Mapping[str, tuple[int, ...]] = {
    "Expand": (1,),
    "Pad": (1, 2, 3),
    "ReduceL2": (1,),
    "ReduceMax": (1,),
    "ReduceMean": (1,),
    "ReduceMin": (1,),
    "ReduceSum": (1,),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "TopK": (1,),
    "Unsqueeze": (1,),
}
"""The inputs that are read as numbers, by operator."""

_DTYPES = {
    onnx.TensorProto.FLOAT: torch.float32,
    onnx.TensorProto.FLOAT16: torch.float16,
    onnx.TensorProto.UINT8: torch.uint8,
    onnx.TensorProto.INT32: torch.int32,
    onnx.TensorProto.INT64: torch.int64,
    onnx.TensorProto.BOOL: torch.bool,
}
_NEAR = 1e-3  # sizes that are products with a float32 scale


def refuse(what: str) -> SegppError:
    """Return the error of a node that is known and used in an unknown way."""
    return SegppError(
        f"{TORCH.runtime} cannot compute this graph: {what}.",
        "a graph as `export` writes it.",
        "Build for another target.",
    )


def _numbers(values: torch.Tensor | None) -> list[int]:
    return [] if values is None else [int(value) for value in values.reshape(-1).tolist()]


def _plain(function: Callable[..., torch.Tensor]) -> Operator:
    return lambda attributes, *inputs: function(*inputs)


def _fold(function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Operator:
    return lambda attributes, *inputs: functools.reduce(function, inputs)


def _cast(attributes: Attributes, values: torch.Tensor) -> torch.Tensor:
    if attributes["to"] not in _DTYPES:
        raise refuse(f"a cast to type {onnx.TensorProto.DataType.Name(attributes['to'])}")
    return values.to(_DTYPES[attributes["to"]])


def _div(attributes: Attributes, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return torch.div(one, other, rounding_mode=None if one.is_floating_point() else "trunc")


def _gelu(attributes: Attributes, values: torch.Tensor) -> torch.Tensor:
    approximate = attributes.get("approximate", b"none")
    return F.gelu(values, approximate=approximate.decode())


def _clip(
    attributes: Attributes, values: torch.Tensor, low: torch.Tensor | None = None, high: torch.Tensor | None = None
) -> torch.Tensor:
    return values if low is None and high is None else torch.clamp(values, low, high)


# Shapes


def _shape(attributes: Attributes, values: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values.shape[attributes.get("start", 0) : attributes.get("end")], dtype=torch.int64)


def _reshape(attributes: Attributes, values: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
    sides = _numbers(shape)
    if not attributes.get("allowzero", 0):
        sides = [values.shape[axis] if side == 0 else side for axis, side in enumerate(sides)]
    return values.reshape(sides)


def _transpose(attributes: Attributes, values: torch.Tensor) -> torch.Tensor:
    return values.permute(attributes.get("perm", list(range(values.dim()))[::-1]))


def _unsqueeze(attributes: Attributes, values: torch.Tensor, axes: torch.Tensor) -> torch.Tensor:
    rank = values.dim() + axes.numel()
    for axis in sorted(axis % rank for axis in _numbers(axes)):
        values = values.unsqueeze(axis)
    return values


def _squeeze(attributes: Attributes, values: torch.Tensor, axes: torch.Tensor | None = None) -> torch.Tensor:
    return values.squeeze() if axes is None else values.squeeze(tuple(_numbers(axes)))


def _concat(attributes: Attributes, *inputs: torch.Tensor) -> torch.Tensor:
    return torch.cat(inputs, attributes["axis"])


def _expand(attributes: Attributes, values: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
    return torch.broadcast_to(values, torch.broadcast_shapes(values.shape, tuple(_numbers(shape))))


def _slice(
    attributes: Attributes,
    values: torch.Tensor,
    starts: torch.Tensor,
    ends: torch.Tensor,
    axes: torch.Tensor | None = None,
    steps: torch.Tensor | None = None,
) -> torch.Tensor:
    count = starts.numel()
    along = _numbers(axes) or list(range(count))
    strides = _numbers(steps) or [1] * count
    if min(strides) < 1:
        raise refuse("a slice that runs backwards")
    cut = [slice(None)] * values.dim()
    for axis, start, end, stride in zip(along, _numbers(starts), _numbers(ends), strides, strict=True):
        cut[axis] = slice(start, end, stride)
    return values[tuple(cut)]


def _split(attributes: Attributes, values: torch.Tensor, sizes: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
    axis = attributes.get("axis", 0)
    even = math.ceil(values.shape[axis] / attributes.get("num_outputs", 1))
    return tuple(torch.split(values, even if sizes is None else _numbers(sizes), axis))


def _pad(
    attributes: Attributes,
    values: torch.Tensor,
    pads: torch.Tensor,
    value: torch.Tensor | None = None,
    axes: torch.Tensor | None = None,
) -> torch.Tensor:
    if attributes.get("mode", b"constant") != b"constant" or axes is not None:
        raise refuse("padding by other than a constant, or of chosen axes")
    before, after = _numbers(pads)[: values.dim()], _numbers(pads)[values.dim() :]
    widths = [width for pair in zip(reversed(before), reversed(after), strict=True) for width in pair]
    return F.pad(values, widths, value=0.0 if value is None else float(value.item()))


# Reading and writing by index


def _gather(attributes: Attributes, values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    axis = attributes.get("axis", 0) % values.dim()
    if not index.is_cuda:  # one on the GPU is not looked at: that would wait, and exports count from the front
        index = torch.where(index < 0, index + values.shape[axis], index)
    rows = values.index_select(axis, index.reshape(-1))
    return rows.reshape(*values.shape[:axis], *index.shape, *values.shape[axis + 1 :])


def _gather_elements(attributes: Attributes, values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return values.gather(attributes.get("axis", 0), index)


def _gather_nd(attributes: Attributes, values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    places = tuple(index.long().unbind(-1))
    match attributes.get("batch_dims", 0):
        case 0:
            return values[places]
        case 1:
            images = torch.arange(len(values), device=values.device).reshape(-1, *[1] * (index.dim() - 2))
            within = (images, *places)
            return values[within]
        case depth:
            raise refuse(f"gathering below {depth} axes")


def _scatter_elements(
    attributes: Attributes, values: torch.Tensor, index: torch.Tensor, updates: torch.Tensor
) -> torch.Tensor:
    if attributes.get("reduction", b"none") != b"none":
        raise refuse(f"scattering with {attributes['reduction'].decode()}")
    return values.scatter(attributes.get("axis", 0), index, updates)


def _top_k(attributes: Attributes, values: torch.Tensor, count: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of equals the first counts, which `torch.topk` does not promise."""
    axis, largest, (k,) = attributes.get("axis", -1), bool(attributes.get("largest", 1)), _numbers(count)
    if k == 1:
        best = values.max(axis, keepdim=True) if largest else values.min(axis, keepdim=True)
        return best.values, best.indices
    ordered = values.sort(dim=axis, descending=largest, stable=True)
    return ordered.values.narrow(axis, 0, k), ordered.indices.narrow(axis, 0, k)


def _arg_max(attributes: Attributes, values: torch.Tensor) -> torch.Tensor:
    if attributes.get("select_last_index", 0):
        raise refuse("the last of equal maxima")
    return values.argmax(attributes.get("axis", 0), keepdim=bool(attributes.get("keepdims", 1)))


# Sums and products


def _reduce(function: Callable[..., torch.Tensor]) -> Operator:
    def reduce(attributes: Attributes, values: torch.Tensor, axes: torch.Tensor | None = None) -> torch.Tensor:
        along = _numbers(axes) or list(attributes.get("axes", ()))
        if not along and attributes.get("noop_with_empty_axes", 0):
            return values
        return function(values, dim=along or list(range(values.dim())), keepdim=bool(attributes.get("keepdims", 1)))

    return reduce


def _sum(values: torch.Tensor, dim: list[int], keepdim: bool) -> torch.Tensor:
    return values.sum(dim, keepdim, dtype=values.dtype)


def _norm(values: torch.Tensor, dim: list[int], keepdim: bool) -> torch.Tensor:
    norm: torch.Tensor = torch.linalg.vector_norm(values, 2, dim, keepdim)
    return norm


def _gemm(
    attributes: Attributes, one: torch.Tensor, other: torch.Tensor, added: torch.Tensor | None = None
) -> torch.Tensor:
    one, other = one.T if attributes.get("transA", 0) else one, other.T if attributes.get("transB", 0) else other
    product = (one @ other) * float(attributes.get("alpha", 1.0))
    return product if added is None else product + added * float(attributes.get("beta", 1.0))


def _layer_norm(
    attributes: Attributes, values: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    shape = list(values.shape[attributes.get("axis", -1) :])
    return F.layer_norm(values, shape, scale, bias, attributes.get("epsilon", 1e-5))


def _softmax(attributes: Attributes, values: torch.Tensor) -> torch.Tensor:
    return values.softmax(attributes.get("axis", -1))


def _conv(
    attributes: Attributes, values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    return F.conv2d(
        values,
        weight,
        bias,
        attributes.get("strides", [1, 1]),
        _even_pads(attributes),
        attributes.get("dilations", [1, 1]),
        attributes.get("group", 1),
    )


def _average_pool(attributes: Attributes, values: torch.Tensor) -> torch.Tensor:
    if attributes.get("dilations", [1, 1]) != [1, 1]:
        raise refuse("a pool with holes")
    return F.avg_pool2d(
        values,
        attributes["kernel_shape"],
        attributes.get("strides", [1, 1]),
        _even_pads(attributes),
        bool(attributes.get("ceil_mode", 0)),
        bool(attributes.get("count_include_pad", 0)),
    )


def _even_pads(attributes: Attributes) -> list[int]:
    pads = list(attributes.get("pads", [0, 0, 0, 0]))
    if attributes.get("auto_pad", b"NOTSET") != b"NOTSET" or len(pads) != 4 or pads[:2] != pads[2:]:
        raise refuse("a convolution or pool that is not of planes, or not padded the same on both sides")
    return pads[:2]


def _resize(
    attributes: Attributes,
    values: torch.Tensor,
    region: torch.Tensor | None = None,
    scales: torch.Tensor | None = None,
    sizes: torch.Tensor | None = None,
) -> torch.Tensor:
    """Resize planes [B, C, h, w], or rows [B, C, n]."""
    if sizes is not None:
        sides = _numbers(sizes)
    else:
        assert scales is not None  # ONNX asks for one of the two
        sides = [_scaled(*pair) for pair in zip(values.shape, scales.tolist(), strict=True)]
    how = (
        attributes.get("mode", b"nearest"),
        attributes.get("coordinate_transformation_mode", b"half_pixel"),
        attributes.get("nearest_mode", b"round_prefer_floor"),
    )
    if sides[:2] != list(values.shape[:2]) or attributes.get("antialias", 0):
        raise refuse("resizing of other than planes, or with antialiasing")
    if how == (b"nearest", b"asymmetric", b"floor"):
        return F.interpolate(values, size=sides[2:], mode="nearest")
    if how[:2] in ((b"linear", b"half_pixel"), (b"linear", b"pytorch_half_pixel")):
        mode = "bilinear" if values.dim() == 4 else "linear"
        return F.interpolate(values, size=sides[2:], mode=mode, align_corners=False)
    raise refuse(f"resizing by {', '.join(word.decode() for word in how)}")


def _scaled(side: int, scale: float) -> int:
    exact = side * scale
    return round(exact) if abs(exact - round(exact)) < _NEAR else math.floor(exact)


# What `fusions` makes of several nodes


def _linear(attributes: Attributes, values: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return F.linear(values, weight.T, bias)


def _attend(
    attributes: Attributes,
    query: torch.Tensor,
    turned_key: torch.Tensor,
    value: torch.Tensor,
    added: torch.Tensor | None = None,
) -> torch.Tensor:
    """Queries [.., M, c], keys [.., c, M'], values [.., M', c], and what is added to scores, such as [.., 1, M']."""
    mask = None if added is None else added.to(query.dtype)
    mixed = F.scaled_dot_product_attention(query, turned_key.mT, value.to(query.dtype), mask, scale=1.0)
    return mixed.to(value.dtype)


LINEAR, ATTENTION = "Linear", "ScaledDotProductAttention"

OPERATORS: Mapping[str, Operator] = {
    "Abs": _plain(torch.abs),
    "Add": _plain(torch.add),
    "And": _plain(torch.logical_and),
    "ArgMax": _arg_max,
    ATTENTION: _attend,
    "AveragePool": _average_pool,
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "Div": _div,
    "Equal": _plain(torch.eq),
    "Erf": _plain(torch.erf),
    "Exp": _plain(torch.exp),
    "Expand": _expand,
    "Floor": _plain(torch.floor),
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Gelu": _gelu,
    "Gemm": _gemm,
    "Greater": _plain(torch.gt),
    "GreaterOrEqual": _plain(torch.ge),
    "Identity": _plain(lambda values: values),
    "LayerNormalization": _layer_norm,
    "Less": _plain(torch.lt),
    "LessOrEqual": _plain(torch.le),
    LINEAR: _linear,
    "Log": _plain(torch.log),
    "MatMul": _plain(torch.matmul),
    "Max": _fold(torch.maximum),
    "Min": _fold(torch.minimum),
    "Mul": _plain(torch.mul),
    "Neg": _plain(torch.neg),
    "Not": _plain(torch.logical_not),
    "Or": _plain(torch.logical_or),
    "Pad": _pad,
    "Pow": _plain(torch.pow),
    "Reciprocal": _plain(torch.reciprocal),
    "ReduceL2": _reduce(_norm),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceMin": _reduce(torch.amin),
    "ReduceSum": _reduce(_sum),
    "Relu": _plain(torch.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Round": _plain(torch.round),
    "ScatterElements": _scatter_elements,
    "Shape": _shape,
    "Sigmoid": _plain(torch.sigmoid),
    "Sign": _plain(torch.sign),
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Sqrt": _plain(torch.sqrt),
    "Squeeze": _squeeze,
    "Sub": _plain(torch.sub),
    "Tanh": _plain(torch.tanh),
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _plain(torch.where),
}
