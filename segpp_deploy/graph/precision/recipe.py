"""What to do to a float32 export to reach a precision, as data; and doing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import onnx
import onnx_ir as ir

from segpp_deploy import commands
from segpp_deploy.config import Precision
from segpp_deploy.errors import SegppError, some_names
from segpp_deploy.graph.precision.half import to_fp16
from segpp_deploy.graph.precision.layers import Layer, find_layers
from segpp_deploy.graph.precision.qdq import quantize

REWRITTEN = (Precision.FP16, Precision.INT8)


RecipeKey = tuple[Precision, Precision, int, frozenset[str], tuple[str, ...], bool]


@dataclass(frozen=True)
class PrecisionRecipe:
    """How to rewrite an export.

    Args:
        precision: fp16, int8, or one that the runtime makes of the float32 graph by itself.
        rest: number format of what int8 leaves: fp16 as `to_fp16` makes it; else the graph stays fp32 there, which the
            runtime may compute in bf16.
        ranges: clipping thresholds by tensor name; for int8.
        layers: the layers to quantise; for int8.
        keep_fp32: layers and tensors that fp16 must leave in float32.
        outputs: quantise the layers' results too, where the runtime fuses such layers only.
    """

    precision: Precision
    rest: Precision = Precision.FP32
    ranges: Mapping[str, float] = field(default_factory=dict)
    layers: frozenset[str] = frozenset()
    keep_fp32: tuple[str, ...] = ()
    outputs: bool = False

    @property
    def key(self) -> RecipeKey:
        """What tells recipes apart that share their ranges; those count by identity, as `replace` keeps them."""
        return self.precision, self.rest, id(self.ranges), self.layers, self.keep_fp32, self.outputs

    @property
    def rewrites_graph(self) -> bool:
        """Whether the precision lives in the graph."""
        return self.precision in REWRITTEN

    @property
    def uses_fp16(self) -> bool:
        """Whether anything is computed in fp16."""
        return Precision.FP16 in (self.precision, self.rest)

    def without(self, layers: frozenset[str]) -> PrecisionRecipe:
        """Return the recipe with these layers in a higher precision: `rest` for int8, float32 for fp16."""
        if self.precision is Precision.INT8:
            return replace(self, layers=self.layers - layers)
        return replace(self, keep_fp32=tuple(sorted({*self.keep_fp32, *layers})))

    def only(self, layers: frozenset[str], every_layer: frozenset[str]) -> PrecisionRecipe:
        """Return the recipe applied to these layers alone."""
        if self.precision is Precision.INT8:
            return replace(self, layers=self.layers & layers)
        return self.without(every_layer - layers)


def apply_recipe(model: onnx.ModelProto, recipe: PrecisionRecipe) -> onnx.ModelProto:
    """Return a rewritten copy of a float32 export of either lowering.

    Raises:
        SegppError: a layer to quantise has no range, or what must stay in float32 is not in the graph.
    """
    rewritten = ir.from_proto(model)
    if recipe.uses_fp16:
        half = to_fp16(rewritten, recipe.keep_fp32)
        if half.unknown:
            raise _unknown_error(half.unknown)
        rewritten = half.model
    if recipe.precision is Precision.INT8:
        rewritten = quantize(rewritten, recipe.ranges, recipe.layers, outputs=recipe.outputs).model
    return ir.to_proto(rewritten)


def _unknown_error(names: tuple[str, ...]) -> SegppError:
    """Without these names in the graph, what they protect from fp16 would be rounded all the same."""
    return SegppError(
        f"fp16 must leave layers or tensors in float32 that the graph does not have: {some_names(names)}.",
        "names of this graph: ranges of the same export, at its size and with its batch, input and output.",
        commands.calibrate(),
    )


def layers_of(model: onnx.ModelProto) -> tuple[Layer, ...]:
    """Return the layers of an export."""
    return find_layers(ir.from_proto(model))


def reduced_layers(model: onnx.ModelProto, precision: Precision) -> tuple[str, ...]:
    """Return the layers that a rewritten graph computes in fp16 or int8, in graph order."""
    found = layers_of(model)
    if precision is Precision.INT8:
        return tuple(layer.name for layer in found if not layer.weight.is_initializer())
    return tuple(layer.name for layer in found if layer.dtype == ir.DataType.FLOAT16)
