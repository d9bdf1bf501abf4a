"""Layers have the names of the model's modules, in both lowerings and whatever the weights are."""

from __future__ import annotations

from collections import Counter

import onnx_ir as ir
import pytest
import torch
from torch import nn

from segpp_deploy.config import Arch, Lowering, Preset
from segpp_deploy.graph.exporting.export import build_graph
from segpp_deploy.graph.precision.layers import LayerKind, constant_behind, find_layers
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.folding import fold_model
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.segformer import SegFormer
from tests.graph.precision.conftest import SIZE, GraphMaker
from tests.support.exporting import request
from tests.support.random_models import keep_layers, random_model


def modules_of(model: SegFormer) -> list[str]:
    """The paths of all convolutions and linear layers."""
    return sorted(path for path, module in model.named_modules() if isinstance(module, nn.Conv2d | nn.Linear))


def names_in(graph: ir.Model) -> list[str]:
    return sorted(layer.name for layer in find_layers(graph))


@pytest.mark.parametrize("lowering", list(Lowering))
@pytest.mark.parametrize("preset", [Preset.FAST, Preset.HQ_PLUS, Preset.POOL_2X2])
def test_every_module_is_found_once(preset: Preset, lowering: Lowering, make_graph: GraphMaker) -> None:
    assert names_in(make_graph(preset, lowering)) == modules_of(fold_model(random_model(Dialect.MMSEG)))


def without_biases(model: SegFormer) -> SegFormer:
    """Zero biases leave the graph, and equal constants become one."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.LayerNorm) and module.bias is not None:
                module.bias.zero_()
            if isinstance(module, nn.LayerNorm):
                module.weight.fill_(1)
    return model


@pytest.mark.parametrize(
    ("fold", "dialect"), [(True, Dialect.MMSEG), (False, Dialect.MMSEG), (True, Dialect.HUGGING_FACE)]
)
def test_names_do_not_hang_on_biases(fold: bool, dialect: Dialect) -> None:
    model = without_biases(keep_layers(random_model(dialect, Arch.B0), (2, 1, 1, 1)))
    model.plan = PRESETS[Preset.FAST]
    graph, _ = build_graph(model, request(SIZE, 5, lowering=Lowering.PORTABLE, fold=fold))
    assert names_in(graph) == modules_of(fold_model(model) if fold else model)


def test_kinds(make_graph: GraphMaker) -> None:
    layers = find_layers(make_graph(Preset.FAST))
    # Eight encoder layers; stage 4 reduces nothing, stage 1 has its output projection folded into the values.
    assert Counter(layer.kind for layer in layers) == {
        LayerKind.PATCH_EMBED: 4,
        LayerKind.REDUCTION: 6,
        LayerKind.QUERY: 8,
        LayerKind.KEY: 8,
        LayerKind.VALUE: 8,
        LayerKind.OUTPUT: 6,
        LayerKind.EXPAND: 8,
        LayerKind.DEPTHWISE: 8,
        LayerKind.PROJECT: 8,
        LayerKind.HEAD_STAGE: 8,
        LayerKind.HEAD_PREDICT: 1,
    }
    assert all(layer.kind.startswith("head_") == layer.name.startswith("head.") for layer in layers)
    assert all(layer.name.endswith(f".{layer.kind}") for layer in layers if ".attention." in layer.name)


def test_lowerings_agree_in_tensors(make_graph: GraphMaker) -> None:
    """What ranges are looked up by."""
    facts = [
        [(layer.name, layer.input.name, layer.output.name) for layer in find_layers(make_graph(Preset.FAST, lowering))]
        for lowering in Lowering
    ]
    assert facts[0] == facts[1]


def test_linear_layers_end_behind_their_bias(make_graph: GraphMaker) -> None:
    layers = find_layers(make_graph(Preset.FAST))
    linear = [layer for layer in layers if layer.node.op_type == "MatMul"]
    assert {producer.op_type for layer in linear if (producer := layer.output.producer())} == {"Add"}
    assert all(layer.output_axis == 1 for layer in linear)
    assert {layer.dtype for layer in layers} == {ir.DataType.FLOAT}
    assert all(constant_behind(layer.input) is None for layer in layers)


def test_other_products() -> None:
    text = """<ir_version: 9, opset_import: ["" : 20]>
    g (float[2, 3] a, float[3, 2] b) => (float[2, 2] c, float[2, 4] d)
    <float[3, 4] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}> { c = MatMul (a, b)  d = MatMul (a, w) }"""
    [layer] = find_layers(ir.from_onnx_text(text))
    assert (layer.name, layer.kind) == ("d", LayerKind.OTHER)
