"""INT8 graphs: Q/DQ where it is specified and nowhere else, exact weights' bounds, and labels that stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from benchmarks.toolchain.rtx_builder import build_with_rtx, read_network
from segpp_deploy.config import Lowering, Preset
from segpp_deploy.data.scenes import HELD_OUT_SEED, generate_scene
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.precision.half import to_fp16
from segpp_deploy.graph.precision.half_emulation import emulate_half
from segpp_deploy.graph.precision.layers import LayerKind, constant_behind, find_layers, tensor_name
from segpp_deploy.graph.precision.qdq import DEFAULT_KINDS, quantize, quantize_weight
from tests.graph.precision.conftest import GraphMaker
from tests.support.exporting import SCENE_SIZE, Array, run_onnxruntime
from tests.support.requirements import has, needs

LEAST_AGREEMENT = 0.97
UNQUANTISED = {"Add", "AveragePool", "Concat", "Gelu", "LayerNormalization", "Resize", "Softmax"}
UNQUANTISED |= {"TokenMatch", "TokenMerge", "TokenUnmerge", "UpsampleArgmax"}
needs_rtx = needs("tensorrt_rtx")


def any_ranges(model: ir.Model) -> dict[str, float]:
    """A range for every tensor, where its size does not matter."""
    return {value.name or "": 4.0 for node in model.graph for value in node.outputs}


def largest_values(path: Path, pictures: list[Array]) -> dict[str, float]:
    """Max calibration of all that layers read and make."""
    import onnxruntime

    layers = find_layers(ir.load(path))
    names = sorted({value.name or "" for layer in layers for value in (layer.input, layer.output)})
    shown = onnx.load(path)
    known = {value.name: value for value in shown.graph.value_info}
    shown.graph.output.extend(known[name] for name in names)
    session = onnxruntime.InferenceSession(shown.SerializeToString())
    runs = [session.run(names, {"image": picture}) for picture in pictures]
    return {name: max(float(np.abs(run[index]).max()) for run in runs) for index, name in enumerate(names)}


def pairs_in(model: ir.Model) -> list[tuple[ir.Node, ir.Node]]:
    """All (QuantizeLinear, DequantizeLinear) of activations."""
    starts = [node for node in model.graph if node.op_type == "QuantizeLinear"]
    ends = [[use.node for use in node.outputs[0].uses()] for node in starts]
    assert all([node.op_type for node in users] == ["DequantizeLinear"] for users in ends)
    return [(start, users[0]) for start, users in zip(starts, ends, strict=True)]


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
@pytest.mark.parametrize("lowering", list(Lowering))
@pytest.mark.parametrize("preset", [Preset.FAST, Preset.POOL_2X2])
def test_quantised_are_layers_and_nothing_else(
    preset: Preset, lowering: Lowering, half: bool, make_graph: GraphMaker
) -> None:
    model = make_graph(preset, lowering)
    ranges = any_ranges(model)
    model = to_fp16(model).model if half else model
    result = quantize(model, ranges)
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
    layers = {layer.name: layer for layer in find_layers(model)}
    assert set(result.layers) == {name for name, layer in layers.items() if layer.kind in DEFAULT_KINDS}
    nodes = {layers[name].node for name in result.layers}
    readers = {use.node for _, end in pairs_in(model) for use in end.outputs[0].uses()}
    assert readers == nodes
    for name, layer in layers.items():
        maker = layer.weight.producer()
        assert (maker is not None and maker.op_type == "DequantizeLinear") == (name in result.layers)
    for node in model.graph:
        if node.op_type in UNQUANTISED:
            makers = [value.producer() for value in node.inputs if value is not None]
            assert not any(maker is not None and maker.op_type == "DequantizeLinear" for maker in makers), node.name


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
def test_one_pair_for_each_tensor(half: bool, make_graph: GraphMaker) -> None:
    model = make_graph(Preset.FAST)
    key_name = "encoder.stages.0.layers.0.attention.key"
    shared = next(layer.input.name for layer in find_layers(model) if layer.name == key_name)
    ranges = any_ranges(model) | {shared or "": 12.7}
    result = quantize(to_fp16(model).model if half else model, ranges)
    pairs = pairs_in(model)
    names = [tensor_name(start.inputs[0]) for start, _ in pairs]
    assert sorted(names) == sorted(result.tensors)
    assert len(set(names)) == len(names)
    layers = {layer.name: layer for layer in find_layers(model)}
    key, value = layers[key_name], layers[key_name.replace("key", "value")]
    assert key.input is value.input
    scale = key.input.producer().inputs[1].const_value.numpy()  # type: ignore[union-attr]
    assert scale.dtype == (np.float16 if half else np.float32)
    assert scale == pytest.approx(0.1, rel=1e-3)


def test_weights_are_stored_by_channel(make_graph: GraphMaker) -> None:
    before = {layer.name: layer.weight.const_value.numpy() for layer in find_layers(make_graph(Preset.FAST))}
    model = make_graph(Preset.FAST)
    result = quantize(model, any_ranges(model))
    for layer in find_layers(model):
        if layer.name not in result.layers:
            continue
        stored = constant_behind(layer.weight)
        assert stored is not None
        assert stored.dtype == ir.DataType.INT8
        node = layer.weight.producer()
        assert node is not None
        assert node.attributes["axis"].as_int() == layer.output_axis
        values, scales, zeros = (value.const_value.numpy() for value in node.inputs)  # type: ignore[union-attr]
        assert len(scales) == values.shape[layer.output_axis]
        assert not zeros.any()
        shape = [-1 if axis == layer.output_axis else 1 for axis in range(values.ndim)]
        error = np.abs(values * scales.reshape(shape) - before[layer.name])
        assert (error <= scales.reshape(shape) * 0.5001).all()
    floats = {value.name for value in model.graph.initializers.values() if value.dtype == ir.DataType.FLOAT}
    assert "model.encoder.stages.0.patch_embed.projection.weight" not in floats
    assert "model.encoder.stages.0.patch_embed.projection.bias" in floats


@given(
    weight=arrays.arrays(
        st.sampled_from([np.float32, np.float16]),
        st.tuples(st.integers(1, 4), st.integers(1, 5)),
        elements=st.floats(-1000, 1000, width=16),
    ),
    axis=st.integers(0, 1),
)
def test_weights_are_off_by_half_a_scale_at_most(weight: Array, axis: int) -> None:
    values, scales = quantize_weight(weight, axis)
    assert scales.dtype == weight.dtype
    assert (scales > 0).all()
    assert np.abs(values.astype(int)).max() <= 127
    steps = scales.astype(np.float64)[:, None] if axis == 0 else scales.astype(np.float64)
    assert (np.abs(values * steps - weight) <= steps * 0.5 * (1 + 1e-9)).all()


def test_named_layers_only(make_graph: GraphMaker) -> None:
    model = make_graph(Preset.ORIGINAL)
    names = ["head.predict", "encoder.stages.0.layers.0.feed_forward.depthwise"]
    result = quantize(model, any_ranges(model), names)
    assert set(result.layers) == set(names)
    assert len(pairs_in(model)) == len(names)


def test_outputs_of_convolutions(make_graph: GraphMaker) -> None:
    """As ONNX Runtime fuses them; linear layers it fuses without."""
    model = make_graph(Preset.ORIGINAL)
    result = quantize(model, any_ranges(model), outputs=True)
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
    for layer in find_layers(model):
        users = {use.node.op_type for use in layer.output.uses()}
        is_quantised_conv = layer.name in result.layers and layer.node.op_type == "Conv"
        assert (users == {"QuantizeLinear"}) == is_quantised_conv, layer.name


def test_outputs_of_the_graph_stay() -> None:
    text = """<ir_version: 9, opset_import: ["" : 20]> g (float[1, 2, 4, 4] image) => (float[1, 2, 4, 4] logits)
    <float[2, 2, 1, 1] weight = {1, 2, 3, 4}> { logits = Conv (image, weight) }"""
    model = ir.from_onnx_text(text)
    [layer] = find_layers(model)
    quantize(model, {"image": 1.0, "logits": 1.0}, [layer.name], outputs=True)
    onnx.checker.check_model(ir.to_proto(model), full_check=True)
    assert layer.node.outputs[0].is_graph_output()
    assert len(pairs_in(model)) == 1


def test_unknown_layer(make_graph: GraphMaker) -> None:
    model = make_graph(Preset.ORIGINAL)
    with pytest.raises(SegppError, match=r"Unknown layer 'head\.predikt'") as caught:
        quantize(model, any_ranges(model), ["head.predikt"])
    assert "head.predict" in caught.value.fix


@pytest.mark.parametrize(
    ("largest", "message"),
    [(None, "no range"), (0.0, r"range 0\.0"), (float("nan"), "range nan"), (float("inf"), "range inf"), (-1.0, "-1")],
)
def test_unusable_ranges(largest: float | None, message: str, make_graph: GraphMaker) -> None:
    model = make_graph(Preset.ORIGINAL)
    ranges: Mapping[str, float] = {
        **{name: value for name, value in any_ranges(model).items() if name != "layer_norm_1"},
        **({} if largest is None else {"layer_norm_1": largest}),
    }
    with pytest.raises(SegppError, match=f"'layer_norm_1' of layer .*query has .*{message}"):
        quantize(model, ranges)


def test_twice_is_refused(make_graph: GraphMaker) -> None:
    model = make_graph(Preset.ORIGINAL)
    quantize(model, any_ranges(model))
    with pytest.raises(SegppError, match="quantised already"):
        quantize(model, any_ranges(model))


@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
@pytest.mark.parametrize("preset", [pytest.param(Preset.ORIGINAL, marks=pytest.mark.slow), Preset.FAST])
def test_labels_of_the_demo_model(
    preset: Preset, half: bool, export_scenes_model: Callable[[Preset], Path], tmp_path: Path
) -> None:
    path = export_scenes_model(preset)
    ranges = largest_values(path, [generate_scene(seed, SCENE_SIZE).image[None] for seed in range(4)])
    model = ir.load(path)
    model = quantize(to_fp16(model).model if half else model, ranges).model
    onnx.save(ir.to_proto(model), tmp_path / "int8.onnx")
    runs = {"onnxruntime": lambda picture: run_onnxruntime(tmp_path / "int8.onnx", picture)}
    if has("openvino"):
        import openvino

        compiled = openvino.Core().compile_model(tmp_path / "int8.onnx", "CPU")
        runs["openvino"] = lambda picture: compiled([picture])[0]
    if half:
        onnx.save(ir.to_proto(emulate_half(model)), tmp_path / "rounded.onnx")
        runs["every rounding"] = lambda picture: run_onnxruntime(tmp_path / "rounded.onnx", picture)
    pictures = [generate_scene(HELD_OUT_SEED + index, SCENE_SIZE).image[None] for index in range(2)]
    expected = np.stack([run_onnxruntime(path, picture) for picture in pictures])
    for name, run in runs.items():
        agreement = (np.stack([run(picture) for picture in pictures]) == expected).mean()
        assert LEAST_AGREEMENT <= agreement < 1, (name, agreement)


@needs_rtx
@pytest.mark.parametrize("half", [False, True], ids=["fp32", "fp16"])
def test_tensorrt_reads_the_types(half: bool, make_graph: GraphMaker, tmp_path: Path) -> None:
    model = make_graph(Preset.FAST)
    ranges = any_ranges(model)
    result = quantize(to_fp16(model).model if half else model, ranges)
    onnx.save(ir.to_proto(model), tmp_path / "int8.onnx")
    network = read_network(tmp_path / "int8.onnx")
    high = "HALF" if half else "FLOAT"
    by_name = {layer.name: layer for layer in network}
    for name in result.layers:
        layer = next(layer for layer in find_layers(model) if layer.name == name)
        assert by_name[layer.node.name].makes == (high,)
        assert by_name[layer.weight.producer().name].makes == (high,)  # type: ignore[union-attr]
    made = [layer.makes for layer in network if layer.kind == "QUANTIZE"]
    assert made == [("INT8",)] * len(result.tensors)
    restored = [layer.makes for layer in network if layer.kind == "DEQUANTIZE"]
    assert restored == [(high,)] * (len(result.tensors) + len(result.layers))
    assert build_with_rtx(tmp_path / "int8.onnx").engine_bytes > 1_000_000


def test_default_kinds() -> None:
    assert {kind for kind in LayerKind if kind not in DEFAULT_KINDS} == {
        LayerKind.DEPTHWISE,
        LayerKind.HEAD_STAGE,
        LayerKind.HEAD_FUSION,
        LayerKind.HEAD_PREDICT,
        LayerKind.OTHER,
    }
