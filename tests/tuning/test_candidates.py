"""Engines for measuring: the runtime's own where it is here, else the CPU with fp16's rounding."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from segpp_deploy.config import Lowering, Precision
from segpp_deploy.graph.contract import noise_images
from segpp_deploy.graph.precision.recipe import PrecisionRecipe, layers_of
from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.runtimes.target import TargetName
from segpp_deploy.tuning.candidates import TrialBench
from tests.workflows.conftest import SmallGraphs, ranges_of


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where trials lie."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def operations(folder: Path) -> set[tuple[str, str]]:
    (engine,) = folder.glob("segpp-trial-*/trial.engine")
    return {(node.domain, node.op_type) for node in onnx.load(str(engine), load_external_data=False).graph.node}


@pytest.mark.parametrize("lowering", Lowering)
def test_gpu_engines_are_tried_on_the_cpu_with_every_rounding(
    lowering: Lowering, small_graph: SmallGraphs, temporary: Path
) -> None:
    graph = small_graph(lowering)
    bench = TrialBench(graph, TargetName.TENSORRT, 1)
    assert (bench.target, bench.is_own_target) == (TargetName.CPU, False)
    images = noise_images(graph.metadata)
    with bench.open(None) as reference:
        expected = reference.run(images)
    with bench.open(PrecisionRecipe(Precision.FP16)) as half:
        assert half.metadata.precision is Precision.FP32  # computed in float32, rounded to fp16
        assert DOMAIN not in {domain for domain, _ in operations(temporary)}
        found = half.run(images)
    assert 0.9 < (found == expected).mean() < 1
    assert not list(temporary.glob("segpp-*")), "trials leave nothing"


def test_int8_in_fp16_on_the_cpu(small_graph: SmallGraphs) -> None:
    graph = small_graph(Lowering.PORTABLE)
    layers = frozenset(layer.name for layer in layers_of(graph.model) if not layer.kind.in_head)
    recipe = PrecisionRecipe(Precision.INT8, Precision.FP16, ranges_of(graph).thresholds(), layers)
    with TrialBench(graph, TargetName.TENSORRT_RTX, 1).open(recipe) as session:
        assert session.metadata.precision is Precision.INT8
        labels = session.run(noise_images(graph.metadata))
    assert labels.shape == (1, *graph.metadata.size.hw)
    assert labels.dtype == np.uint8


def test_the_cpus_own_engine(small_graph: SmallGraphs, temporary: Path) -> None:
    graph = small_graph(Lowering.PORTABLE)
    layers = frozenset(layer.name for layer in layers_of(graph.model))
    recipe = PrecisionRecipe(Precision.INT8, ranges=ranges_of(graph).thresholds(), layers=layers, outputs=True)
    bench = TrialBench(graph, TargetName.CPU, 1)
    assert bench.is_own_target
    with bench.open(recipe):
        assert ("com.microsoft", "MatMulIntegerToFloat") in operations(temporary)


def test_an_interrupt_leaves_nothing(small_graph: SmallGraphs, temporary: Path) -> None:
    with pytest.raises(KeyboardInterrupt), TrialBench(small_graph(Lowering.PORTABLE), TargetName.CPU, 1).open(None):
        raise KeyboardInterrupt
    assert not list(temporary.glob("segpp-*"))
