"""Recipes: what they do to a graph of either lowering, and how they shrink."""

from __future__ import annotations

import onnx
import onnx_ir as ir
import pytest

from segpp_deploy.config import Lowering, Precision, Preset
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.precision.half import is_halved
from segpp_deploy.graph.precision.layers import LayerKind, find_layers
from segpp_deploy.graph.precision.recipe import PrecisionRecipe, apply_recipe, layers_of, reduced_layers
from tests.graph.precision.conftest import GraphMaker

QUERY, KEY = (f"encoder.stages.1.layers.0.attention.{kind}" for kind in (LayerKind.QUERY, LayerKind.KEY))
HALF, FLOAT = ir.DataType.FLOAT16, ir.DataType.FLOAT


def ranges_of(model: onnx.ModelProto) -> dict[str, float]:
    return {name: 4.0 for node in model.graph.node for name in node.output}


@pytest.fixture
def source(make_graph: GraphMaker) -> onnx.ModelProto:
    return ir.to_proto(make_graph(Preset.FAST))


@pytest.mark.parametrize("lowering", Lowering)
@pytest.mark.parametrize("rest", [Precision.FP32, Precision.BF16, Precision.FP16])
def test_int8_on_every_rest(rest: Precision, lowering: Lowering, make_graph: GraphMaker) -> None:
    source = ir.to_proto(make_graph(Preset.FAST, lowering))
    before = source.SerializeToString(deterministic=True)
    recipe = PrecisionRecipe(Precision.INT8, rest, ranges_of(source), frozenset({QUERY, KEY}))
    made = apply_recipe(source, recipe)
    onnx.checker.check_model(made, full_check=True)
    assert source.SerializeToString(deterministic=True) == before
    assert reduced_layers(made, Precision.INT8) == (QUERY, KEY)
    kept = {layer.dtype for layer in layers_of(made) if layer.name not in recipe.layers and is_halved(layer)}
    assert kept == {HALF if rest is Precision.FP16 else FLOAT}
    assert recipe.uses_fp16 is (rest is Precision.FP16)


def test_fp16_but_for_what_is_named(source: onnx.ModelProto) -> None:
    every = {layer.name for layer in layers_of(source) if is_halved(layer)}
    assert set(reduced_layers(apply_recipe(source, PrecisionRecipe(Precision.FP16)), Precision.FP16)) == every
    recipe = PrecisionRecipe(Precision.FP16).without(frozenset({QUERY}))
    assert set(reduced_layers(apply_recipe(source, recipe), Precision.FP16)) == every - {QUERY}


def test_only_and_without_are_opposites() -> None:
    every = frozenset({QUERY, KEY, "head.predict"})
    int8 = PrecisionRecipe(Precision.INT8, layers=every)
    assert int8.without(frozenset({KEY})).layers == every - {KEY}
    assert int8.only(frozenset({KEY}), every).layers == {KEY}
    half = PrecisionRecipe(Precision.FP16, keep_fp32=("view",))
    assert half.without(frozenset({KEY})).keep_fp32 == (KEY, "view")
    assert half.only(frozenset({KEY}), every).keep_fp32 == (QUERY, "head.predict", "view")


def test_a_missing_range(source: onnx.ModelProto) -> None:
    with pytest.raises(SegppError, match="has no range"):
        apply_recipe(source, PrecisionRecipe(Precision.INT8, layers=frozenset({QUERY})))


def test_names_to_keep_that_the_graph_does_not_have(source: onnx.ModelProto) -> None:
    names = (QUERY, "add_1", *(f"nothing_{index:02}" for index in range(10)))
    for precision in (Precision.FP16, Precision.INT8):
        with pytest.raises(SegppError, match=r"does not have: nothing_00, .*, nothing_07, \.\.\. 2 more") as caught:
            apply_recipe(source, PrecisionRecipe(precision, Precision.FP16, keep_fp32=names))
        assert "add_1" not in caught.value.what
        assert caught.value.fix.startswith("segpp-deploy calibrate MODEL.onnx")
    assert "same export" in caught.value.expected


def test_outputs_are_quantised_where_the_runtime_needs_it(source: onnx.ModelProto) -> None:
    convolution = next(layer.name for layer in find_layers(ir.from_proto(source)) if layer.node.op_type == "Conv")
    counts = []
    for outputs in (False, True):
        recipe = PrecisionRecipe(
            Precision.INT8, ranges=ranges_of(source), layers=frozenset({convolution}), outputs=outputs
        )
        made = apply_recipe(source, recipe)
        counts.append(sum(node.op_type == "QuantizeLinear" for node in made.graph.node))
    assert counts == [1, 2]
