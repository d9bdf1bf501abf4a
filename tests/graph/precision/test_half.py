"""fp16 graphs: what computes in which type, no cast that is not needed, and the same labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from benchmarks.toolchain.rtx_builder import build_with_rtx, read_network
from segpp_deploy.config import Lowering, Preset
from segpp_deploy.data.scenes import HELD_OUT_SEED, generate_scene
from segpp_deploy.graph.precision import casts
from segpp_deploy.graph.precision.half import LARGEST_HALF, is_halved, to_fp16
from segpp_deploy.graph.precision.half_emulation import emulate_half
from segpp_deploy.graph.precision.layers import Layer, are_scores, find_layers
from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.ops.registry import DECLARATIONS
from tests.graph.precision.conftest import GraphMaker
from tests.support.exporting import SCENE_SIZE, run_onnxruntime
from tests.support.requirements import needs

FLOAT, HALF = ir.DataType.FLOAT, ir.DataType.FLOAT16
FLOAT_OPS = {"Div", "LayerNormalization", "Log", "Max", "ReduceL2", "ReduceSum", "Softmax", "Sub", "TopK"}
HALF_OPS = {"AveragePool", "Gelu", "Relu", "Resize"}
LEAST_AGREEMENT = 0.998
SAME_OPS_AS_OTHERS = (Preset.HQ, Preset.HQ_REUSE, Preset.FAST_PLUS, Preset.DOWNSAMPLE)
MODES = [pytest.param(mode, marks=pytest.mark.slow) if mode in SAME_OPS_AS_OTHERS else mode for mode in Preset]
needs_rtx = needs("tensorrt_rtx")


def layer_of(model: ir.Model, name: str) -> Layer:
    return next(layer for layer in find_layers(model) if layer.name == name)


def value_of(model: ir.Model, name: str) -> ir.Value:
    return next(value for node in model.graph for value in node.outputs if value.name == name)


def casts_in(model: ir.Model) -> list[ir.Node]:
    return [node for node in model.graph if node.op_type == "Cast"]


@pytest.mark.parametrize("lowering", list(Lowering))
@pytest.mark.parametrize("preset", MODES)
def test_types(preset: Preset, lowering: Lowering, make_graph: GraphMaker) -> None:
    before = make_graph(preset, lowering)
    model = to_fp16(make_graph(preset, lowering)).model
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
    for ends, ends_before in ((model.graph.inputs, before.graph.inputs), (model.graph.outputs, before.graph.outputs)):
        assert [(v.name, v.dtype, v.shape) for v in ends] == [(v.name, v.dtype, v.shape) for v in ends_before]
    assert [layer.name for layer in find_layers(model)] == [layer.name for layer in find_layers(before)]
    for layer in find_layers(model):
        expected = HALF if is_halved(layer) else FLOAT
        assert {layer.dtype, layer.input.dtype, layer.output.dtype} == {expected}, layer.name
    for node in model.graph:
        if node.op_type in FLOAT_OPS and node.inputs[0].dtype != ir.DataType.INT64:
            assert node.inputs[0].dtype == FLOAT, node.name
        behind_the_last = (node.name or "").startswith("head.predict/")
        if not behind_the_last and (node.domain == DOMAIN or node.op_type in HALF_OPS):
            assert node.inputs[0].dtype == HALF, node.name


def test_attention_products_and_residuals(make_graph: GraphMaker) -> None:
    model = to_fp16(make_graph(Preset.FAST, Lowering.PLUGIN)).model
    products = [node for node in model.graph if node.op_type == "MatMul" and node.inputs[1].const_value is None]
    assert len(products) == 16
    assert {value.dtype for node in products for value in (*node.inputs, *node.outputs)} == {HALF}
    counts = Counter((node.op_type, node.outputs[0].dtype) for node in model.graph)
    # The biases of 30 linear layers and 16 residuals, of which some are in TokenUnmerge; the head sums four stages.
    assert counts["Add", HALF] + counts["TokenUnmerge", HALF] == 30 + 16 + 3
    assert counts["Add", FLOAT] == 0
    assert counts["TokenUnmerge", HALF] > 0


@pytest.mark.parametrize("lowering", list(Lowering))
def test_sizes_of_weighted_keys_are_never_rounded(lowering: Lowering, make_graph: GraphMaker) -> None:
    model = to_fp16(make_graph(Preset.HQ_PLUS, lowering)).model
    additions = [node for node in model.graph if node.op_type == "Add" and are_scores(node.outputs[0])]
    assert len(additions) == 4
    for node in additions:
        scores, log_size = (_through_casts(value) for value in node.inputs)
        assert (scores.op_type, scores.outputs[0].dtype) == ("MatMul", HALF)
        assert log_size.op_type == "Unsqueeze"
        assert {value.dtype for value in (*node.outputs, log_size.inputs[0], log_size.outputs[0])} == {FLOAT}


def _through_casts(value: ir.Value | None) -> ir.Node:
    assert value is not None
    node = value.producer()
    assert node is not None
    return _through_casts(node.inputs[0]) if node.op_type == "Cast" else node


def test_what_stays_float_is_what_the_declarations_say() -> None:
    declared = {
        (op.name, index)
        for op in DECLARATIONS.values()
        for index, tensor in enumerate(op.outputs)
        if tensor.dtypes == ("float32",)
    }
    assert declared == {(name, index) for name, indices in casts.FLOAT_OUTPUTS.items() for index in indices}


@pytest.mark.parametrize("lowering", list(Lowering))
@pytest.mark.parametrize("preset", [Preset.ORIGINAL, Preset.FAST, Preset.HQ_PLUS, Preset.POOL_2X2])
def test_no_needless_casts(preset: Preset, lowering: Lowering, make_graph: GraphMaker) -> None:
    before = make_graph(preset, lowering)
    old = {node.name for node in casts_in(before)}
    added = [node for node in casts_in(to_fp16(make_graph(preset, lowering)).model) if node.name not in old]
    sources = [(node.inputs[0], node.outputs[0].dtype) for node in added]
    assert len(set(sources)) == len(sources)
    for node in added:
        assert node.inputs[0].dtype != node.outputs[0].dtype
        assert node.outputs[0].uses()
        maker = node.inputs[0].producer()
        assert maker is None or maker.op_type != "Cast" or maker.name in old
    # Per encoder layer: two layer norms and a softmax, in and out; the spatial reduction's norm in stages 1 to 3. In
    # the first of a stage's two layers the norm follows a norm. Per stage: the embedding's norm in and out, the last
    # norm in, and its way to the next stage and the head. One for the picture, one for the last layer. The portable
    # mean of merged tokens is float32.
    merges = sum(node.op_type.startswith("TokenMerge") for node in make_graph(preset, Lowering.PLUGIN).graph)
    expected = 8 * 6 - 4 + 6 * 2 + 4 * 3 + 4 + 1 + 1
    assert len(added) == expected + (merges if lowering is Lowering.PORTABLE else 0)


@pytest.mark.parametrize("preset", [pytest.param(Preset.ORIGINAL, marks=pytest.mark.slow), Preset.FAST])
def test_labels_of_the_demo_model(
    preset: Preset, export_scenes_model: Callable[[Preset], Path], tmp_path: Path
) -> None:
    path = export_scenes_model(preset)
    half = to_fp16(ir.load(path)).model
    onnx.save(ir.to_proto(half), tmp_path / "half.onnx")
    onnx.save(ir.to_proto(emulate_half(half)), tmp_path / "rounded.onnx")
    pictures = [generate_scene(HELD_OUT_SEED + index, SCENE_SIZE).image[None] for index in range(3)]
    expected = np.stack([run_onnxruntime(path, picture) for picture in pictures])
    for name in ("half", "rounded"):  # as ONNX Runtime takes it, and with every rounding that the graph asks for
        found = np.stack([run_onnxruntime(tmp_path / f"{name}.onnx", picture) for picture in pictures])
        assert LEAST_AGREEMENT <= (found == expected).mean() < 1, name


def test_named_layers_stay(make_graph: GraphMaker) -> None:
    name = "encoder.stages.1.layers.0.attention.key"
    result = to_fp16(make_graph(Preset.FAST), [name])
    onnx.checker.check_model(ir.to_proto(result.model), full_check=True)
    assert (result.kept_fp32, result.unknown) == ((name,), ())
    layer = layer_of(result.model, name)
    assert {layer.dtype, layer.input.dtype, layer.output.dtype} == {FLOAT}
    others = {other.dtype for other in find_layers(result.model) if is_halved(other) and other.name != name}
    assert others == {HALF}


def test_named_tensors_are_never_rounded(make_graph: GraphMaker) -> None:
    """A residual too large for fp16: neither it nor a reshaped or cast copy of it may be fp16."""
    model = make_graph(Preset.ORIGINAL)
    result = to_fp16(model, ["add_1"])
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
    assert result.kept_fp32 == ("add_1",)
    value = value_of(model, "add_1")
    maker = value.producer()
    assert maker is not None
    assert {other.dtype for other in maker.outputs} == {FLOAT}
    assert {use.node.op_type for use in value.uses()} == {"Add", "LayerNormalization"}
    assert all(use.node.outputs[0].dtype == FLOAT for use in value.uses())


def test_named_layouts_are_never_rounded(make_graph: GraphMaker) -> None:
    model = make_graph(Preset.ORIGINAL)
    reshaped = layer_of(model, "encoder.stages.0.layers.0.attention.reduction").output.uses()
    [name] = [use.node.outputs[0].name for use in reshaped]
    to_fp16(model, [name])
    layer = layer_of(model, "encoder.stages.0.layers.0.attention.reduction")
    assert {layer.output.dtype, value_of(model, name).dtype} == {FLOAT}


def test_unknown_names_are_told(make_graph: GraphMaker) -> None:
    result = to_fp16(make_graph(Preset.ORIGINAL), ["nothing", "encoder"])
    assert (result.kept_fp32, result.unknown) == ((), ("encoder", "nothing"))


@pytest.mark.parametrize("value", [2 * LARGEST_HALF, -2 * LARGEST_HALF, float("nan")])
@pytest.mark.parametrize("kind", ["query", "reduction"])
def test_constants_beyond_fp16_keep_their_layer(kind: str, value: float, make_graph: GraphMaker) -> None:
    name = f"encoder.stages.0.layers.0.attention.{kind}"
    model = make_graph(Preset.ORIGINAL)
    weight = layer_of(model, name).weight
    assert weight.const_value is not None
    array = weight.const_value.numpy().copy()
    array.flat[0] = value
    weight.const_value = ir.tensor(array)
    result = to_fp16(model)
    assert result.kept_fp32 == (name,)
    layer = layer_of(model, name)
    assert {layer.dtype, layer.output.dtype} == {FLOAT}


def test_constants_of_both_types_are_split() -> None:
    text = """<ir_version: 9, opset_import: ["" : 20]>
    g (float[1, 2, 4, 4] image) => (float[1, 2, 4, 4] logits)
    <float[2, 2, 1, 1] embed = {1, 2, 3, 4}, float[1] one = {1}, float[2, 2, 1, 1] predict = {1, 2, 3, 4}>
    { a = Conv (image, embed)  b = Add (a, one)  c = Conv (b, predict)  logits = Add (c, one) }"""
    model = ir.from_onnx_text(text)
    names = {
        "embed": "model.encoder.stages.0.patch_embed.projection.weight",
        "predict": "model.head.predict.weight",
    }
    for node in model.graph:
        node.outputs[0].type = ir.TensorType(FLOAT)
        for value in node.inputs:
            if value is not None:
                value.name = names.get(value.name or "", value.name)
    assert to_fp16(model).kept_fp32 == ()
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
    assert {v.name: v.dtype for v in model.graph.initializers.values()} == {
        "model.encoder.stages.0.patch_embed.projection.weight": HALF,
        "one": FLOAT,
        "one.fp16": HALF,
        "model.head.predict.weight": FLOAT,
    }


@needs_rtx
@pytest.mark.parametrize("preset", [Preset.ORIGINAL, Preset.FAST, Preset.HQ_PLUS, Preset.POOL_2X2])
def test_tensorrt_reads_the_types(preset: Preset, make_graph: GraphMaker, tmp_path: Path) -> None:
    model = to_fp16(make_graph(preset)).model
    onnx.save(ir.to_proto(model), tmp_path / "half.onnx")
    network = {layer.name: layer for layer in read_network(tmp_path / "half.onnx")}
    for layer in find_layers(model):
        parsed = network[layer.node.name]
        assert set(parsed.reads) | set(parsed.makes) == {"HALF" if is_halved(layer) else "FLOAT"}, layer.name
    made = {kind for layer in network.values() if layer.kind in ("NORMALIZATION", "SOFTMAX") for kind in layer.makes}
    assert made == {"FLOAT"}
    assert build_with_rtx(tmp_path / "half.onnx").engine_bytes > 1_000_000
