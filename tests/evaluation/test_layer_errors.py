"""Errors of tensors inside an engine: rounding and matches are told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from segpp_deploy.config import Preset
from segpp_deploy.engine.manifest import read_manifest
from segpp_deploy.engine.observed import ObservableEngine
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.layer_errors import LayerError, find_layer_errors
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.progress import no_progress
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.torch.tensors import TorchTensors
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.validate.result import layers_table
from tests.support.exporting import PICTURE_TO_LABELS, RAGGED, export, smooth_pictures, to_bytes
from tests.support.random_models import keep_layers, random_model
from tests.support.requirements import needs

pytestmark = pytest.mark.slow


def small_model() -> SegFormer:
    """A layer of each stage: all kinds of tensors are there."""
    return keep_layers(random_model(Dialect.MMSEG), (1, 1, 1, 1))


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layers")
    return export(small_model(), Preset.FAST_PLUS, folder / "m.onnx", RAGGED, **PICTURE_TO_LABELS).path


@pytest.fixture(scope="module")
def torch_tensors(graph: Path, tmp_path_factory: pytest.TempPathFactory) -> TorchTensors:
    model = small_model()
    model.plan = PRESETS[Preset.FAST_PLUS]
    engine = tmp_path_factory.mktemp("engine") / "m.engine"
    return TorchTensors(model, run_build(graph, engine, BuildOptions(TargetName.CPU)).manifest.metadata)


def look(graph: Path, torch: TorchTensors, folder: Path, target: TargetName) -> dict[str, LayerError]:
    engine = run_build(graph, folder / "m.engine", BuildOptions(target)).path
    pictures = [to_bytes(smooth_pictures(RAGGED, seed=seed)) for seed in (1, 2)]
    observed = ObservableEngine(engine, read_manifest(engine))
    return {layer.name: layer for layer in find_layer_errors(observed, torch, pictures, 1, no_progress)}


@pytest.mark.parametrize("target", [TargetName.CPU, pytest.param(TargetName.OPENVINO, marks=needs("openvino"))])
def test_an_exact_engine_only_rounds(
    target: TargetName, graph: Path, torch_tensors: TorchTensors, tmp_path: Path
) -> None:
    found = look(graph, torch_tensors, tmp_path, target)
    assert list(found) == [name for name in torch_tensors.names if name in found], "in the order of the graph"
    matches = [layer for layer in found.values() if layer.matched is not None]
    floats = [layer for layer in found.values() if layer.matched is None]
    assert len(matches) >= 2
    assert len(floats) > 150
    assert all(layer.matched > 0.8 for layer in matches), "of random weights, matches are often near ties"
    assert max(layer.rounding for layer in floats if not np.isnan(layer.rounding)) < 1e-3


def test_a_broken_layer_shows_where_it_is(graph: Path, torch_tensors: TorchTensors, tmp_path: Path) -> None:
    model = onnx.load(graph)
    broken = "model.encoder.stages.2.layers.0.norm1.weight"
    (weight,) = (one for one in model.graph.initializer if one.name == broken)
    weight.CopyFrom(numpy_helper.from_array(1.5 * numpy_helper.to_array(weight), broken))
    (output,) = (node.output[0] for node in model.graph.node if broken in node.input)
    onnx.save(model, tmp_path / "broken.onnx")
    found = look(tmp_path / "broken.onnx", torch_tensors, tmp_path, TargetName.CPU)
    names = list(found)
    before = [found[name] for name in names[: names.index(output)] if found[name].matched is None]
    assert max(layer.rounding for layer in before if not np.isnan(layer.rounding)) < 1e-3
    assert found[output].rounding > 0.1
    rows = [row[0] for row in layers_table(tuple(found.values())).rows]
    assert [name for name in names if name in rows] == rows


def test_other_matches_are_not_rounding(graph: Path, torch_tensors: TorchTensors, tmp_path: Path) -> None:
    """An engine that matches noisy tokens departs from PyTorch, and not from PyTorch with its matches."""
    model = onnx.load(graph)
    match = torch_tensors.matches[0]
    body = [node for node in model.graph.node if node.output[0] == match or node.output[0].startswith(f"{match}.")]
    tokens = body[0].input[0]
    noise = 10 * np.random.default_rng(0).standard_normal(32).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(noise, "noise"))
    for node in body:
        node.input[:] = ["noisy" if name == tokens else name for name in node.input]
    index = list(model.graph.node).index(body[0])
    model.graph.node.insert(index, onnx.helper.make_node("Add", [tokens, "noise"], ["noisy"]))
    onnx.save(model, tmp_path / "noisy.onnx")
    found = look(tmp_path / "noisy.onnx", torch_tensors, tmp_path, TargetName.CPU)
    assert found[match].matched < 0.95
    floats = [layer for layer in found.values() if layer.matched is None]
    assert max(layer.error for layer in floats if not np.isnan(layer.error)) > 0.1
    assert max(layer.rounding for layer in floats if not np.isnan(layer.rounding)) < 1e-3


def test_compiled_engines_cannot_be_looked_into(tmp_path: Path, graph: Path) -> None:
    engine = run_build(graph, tmp_path / "m.engine", BuildOptions(TargetName.CPU)).path
    manifest = read_manifest(engine).model_copy(update={"target": TargetName.TENSORRT})
    with pytest.raises(SegppError, match="Nobody can look into engines of TensorRT"):
        ObservableEngine(engine, manifest)
