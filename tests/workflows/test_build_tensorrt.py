"""fp16 and int8 for TensorRT: TensorRT-RTX builds them without a GPU; TensorRT itself is refused before any work."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest

from segpp_deploy.config import Int8Layers, Lowering, Precision
from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.engine.precision_record import KeptReason
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.precision.half import is_halved
from segpp_deploy.graph.precision.layers import LayerKind
from segpp_deploy.graph.precision.ranges import write_ranges
from segpp_deploy.graph.precision.recipe import apply_recipe, layers_of, reduced_layers
from segpp_deploy.hardware import nvidia_gpu
from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.plugin_library.library import LIBRARY_VARIABLE
from segpp_deploy.progress import no_progress
from segpp_deploy.runtimes.builder_options import BuilderOptions
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.calibration.options import RangesFile
from segpp_deploy.tuning.candidates import CandidateBench
from segpp_deploy.tuning.recipe_choice import choose_recipe
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from tests.support.requirements import needs
from tests.workflows.conftest import SmallGraphs, ranges_of

needs_rtx = needs("tensorrt_rtx")
HEAD_AND_DEPTHWISE = {LayerKind.HEAD_STAGE, LayerKind.HEAD_PREDICT, LayerKind.DEPTHWISE}


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia_gpu, "has_nvidia_gpu", lambda: False)


@pytest.fixture
def calibration(small_graph: SmallGraphs, tmp_path: Path) -> RangesFile:
    write_ranges(tmp_path / "ranges.yaml", ranges_of(small_graph(Lowering.PORTABLE)))
    return RangesFile(tmp_path / "ranges.yaml")


def build(source: Path, output: Path, precision: Precision, calibration: RangesFile) -> Manifest:
    builder = BuilderOptions(compute_capabilities=("8.9",))
    options = BuildOptions(TargetName.TENSORRT_RTX, precision, builder=builder, calibration=calibration)
    return run_build(source, output, options).manifest


@needs_rtx
def test_fp16(small_graph: SmallGraphs, calibration: RangesFile, tmp_path: Path) -> None:
    graph = small_graph(Lowering.PORTABLE)
    manifest = build(graph.path, tmp_path / "e", Precision.FP16, calibration)
    layers = layers_of(graph.model)
    convolutions = [layer for layer in layers if layer.node.op_type == "Conv"]
    assert manifest.layer_types["convolution"] == {"fp16": len(convolutions) - 1, "fp32": 1}
    assert manifest.layer_types["matrix_multiply"].get("fp16", 0) >= len(layers) - len(convolutions)
    record = manifest.precision_record
    assert record is not None
    assert set(record.quantized) == {layer.name for layer in layers if is_halved(layer)}


@needs_rtx
def test_int8(small_graph: SmallGraphs, calibration: RangesFile, tmp_path: Path) -> None:
    graph = small_graph(Lowering.PORTABLE)
    manifest = build(graph.path, tmp_path / "e", Precision.INT8, calibration)
    layers = layers_of(graph.model)
    quantized = [layer for layer in layers if layer.kind not in HEAD_AND_DEPTHWISE]
    convolutions = sum(layer.node.op_type == "Conv" for layer in quantized)
    assert manifest.layer_types["convolution"]["int8"] == convolutions
    assert manifest.layer_types["convolution"]["fp16"] == sum(map(is_halved, layers)) - len(quantized)
    assert manifest.layer_types["matrix_multiply"]["int8"] == len(quantized) - convolutions
    record = manifest.precision_record
    assert record is not None
    assert (record.rest, set(record.quantized)) == (Precision.FP16, {layer.name for layer in quantized})
    assert [kept.reason for kept in record.kept] == [KeptReason.RECIPE]
    assert record.speedup_over_fp32 is None, "nothing was measured: the GPU is not here"
    assert not manifest.tried


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.INT8])
def test_plugin_graphs_are_rewritten(precision: Precision, small_graph: SmallGraphs, calibration: RangesFile) -> None:
    graph = small_graph(Lowering.PLUGIN)
    bench = CandidateBench(graph, TargetName.TENSORRT, None)
    choice = choose_recipe(graph, precision, calibration, Int8Layers.FASTER, bench, no_progress)
    model = apply_recipe(graph.model, choice.recipe)
    onnx.checker.check_model(model)
    plugins = [node.op_type for node in model.graph.node if node.domain == DOMAIN]
    assert plugins == [node.op_type for node in graph.model.graph.node if node.domain == DOMAIN]
    assert "TokenMatch" in plugins
    reduced = set(reduced_layers(model, precision))
    assert LayerKind.QUERY in {layer.kind for layer in choice.layers if layer.name in reduced}


def test_tensorrt_that_is_missing_is_said_at_once(
    small_graph: SmallGraphs, calibration: RangesFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setattr("segpp_deploy.workflows.build_engine.run.choose_recipe", lambda *_: pytest.fail("work began"))
    options = BuildOptions(TargetName.TENSORRT, Precision.INT8, calibration=calibration)
    with pytest.raises(SegppError, match=r"TensorRT \(Python module tensorrt\) is not installed"):
        run_build(small_graph(Lowering.PLUGIN).path, tmp_path / "e", options)
    assert not (tmp_path / "e").exists()


def test_a_missing_plugin_library_is_said_at_once(
    small_graph: SmallGraphs, calibration: RangesFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segpp_deploy.workflows.build_engine.run.choose_recipe", lambda *_: pytest.fail("work began"))
    as_if_here = "segpp_deploy.runtimes.tensorrt.target.import_tensorrt"
    monkeypatch.setattr(as_if_here, lambda name: None)
    monkeypatch.setenv(LIBRARY_VARIABLE, str(tmp_path / "none.so"))
    options = BuildOptions(TargetName.TENSORRT, Precision.INT8, calibration=calibration)
    with pytest.raises(SegppError, match=r"none\.so"):
        run_build(small_graph(Lowering.PLUGIN).path, tmp_path / "e", options)
    assert not (tmp_path / "e").exists()
