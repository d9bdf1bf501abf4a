"""Graphs under a recipe: on the runtime itself where it is here, else on the CPU with fp16 emulated; without files."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from segpp_deploy.config import Lowering, Precision
from segpp_deploy.graph.contract import noise_images
from segpp_deploy.graph.precision.half import is_halved
from segpp_deploy.graph.precision.recipe import PrecisionRecipe, layers_of
from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.onnxruntime.cpu import CpuTarget
from segpp_deploy.tuning import candidates
from segpp_deploy.tuning.candidates import CandidateBench
from tests.workflows.conftest import SmallGraphs, ranges_of

Operations = list[set[tuple[str, str]]]


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Operations:
    """The operators of every graph that the CPU loads, as (domain, type)."""
    operations: Operations = []

    def load(self: CpuTarget, source: bytes, *arguments: Any) -> Any:
        operations.append({(node.domain, node.op_type) for node in onnx.load_from_string(source).graph.node})
        return original(self, source, *arguments)

    original = CpuTarget.load
    monkeypatch.setattr(CpuTarget, "load", load)
    return operations


@pytest.mark.parametrize("lowering", Lowering)
def test_graphs_for_gpus_are_measured_on_the_cpu_with_every_rounding(
    lowering: Lowering, small_graph: SmallGraphs, loaded: Operations
) -> None:
    graph = small_graph(lowering)
    bench = CandidateBench(graph, TargetName.TENSORRT, 1)
    assert (bench.target, bench.is_own_target) == (TargetName.CPU, False)
    images = noise_images(graph.metadata)
    with bench.open(None) as reference:
        expected = reference.run(images)
    with bench.open(PrecisionRecipe(Precision.FP16)) as half:
        assert half.metadata.precision is Precision.FP32  # computed in float32, rounded to fp16
        assert DOMAIN not in {domain for domain, _ in loaded[-1]}
        found = half.run(images)
    assert 0.9 < (found == expected).mean() < 1


def test_int8_in_fp16_on_the_cpu(small_graph: SmallGraphs) -> None:
    graph = small_graph(Lowering.PORTABLE)
    layers = frozenset(layer.name for layer in layers_of(graph.model) if is_halved(layer))
    recipe = PrecisionRecipe(Precision.INT8, Precision.FP16, ranges_of(graph).thresholds(), layers)
    with CandidateBench(graph, TargetName.TENSORRT_RTX, 1).open(recipe) as session:
        assert session.metadata.precision is Precision.INT8
        labels = session.run(noise_images(graph.metadata))
    assert labels.shape == (1, *graph.metadata.size.hw)
    assert labels.dtype == np.uint8


def test_the_cpus_own_engine(small_graph: SmallGraphs, loaded: Operations) -> None:
    graph = small_graph(Lowering.PORTABLE)
    layers = frozenset(layer.name for layer in layers_of(graph.model))
    recipe = PrecisionRecipe(Precision.INT8, ranges=ranges_of(graph).thresholds(), layers=layers, outputs=True)
    bench = CandidateBench(graph, TargetName.CPU, 1)
    assert bench.is_own_target
    with bench.open(recipe):
        assert ("com.microsoft", "MatMulIntegerToFloat") in loaded[-1]


def test_an_interrupt_leaves_no_profile(
    small_graph: SmallGraphs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    bench = CandidateBench(small_graph(Lowering.PORTABLE), TargetName.CPU, 1)
    with pytest.raises(KeyboardInterrupt), bench.open(None, profile=True):
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


OPEN_AND_RUN = """
import os, sys
from pathlib import Path
import onnxruntime, openvino  # both write a note of their own when they are imported
from segpp_deploy.config import Precision
from segpp_deploy.graph.contract import noise_images
from segpp_deploy.graph.graph_file import read_graph
from segpp_deploy.graph.precision.recipe import PrecisionRecipe
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning import candidates
from segpp_deploy.tuning.candidates import CandidateBench

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

def note(event, arguments):
    if event == "open" and arguments[2] & WRITES or event in ("os.mkdir", "os.rename", "tempfile.mkstemp"):
        print(event, *arguments)

graph = read_graph(Path(sys.argv[1]))
before = set(os.listdir())
sys.addaudithook(note)
for target, recipe in (
    (TargetName.CPU, None),
    (TargetName.OPENVINO, None),
    (TargetName.TENSORRT, PrecisionRecipe(Precision.FP16)),
):
    with CandidateBench(graph, target, 1).open(recipe) as session:
        session.run(noise_images(graph.metadata))
print(*set(os.listdir()) - before)  # what the runtimes themselves write passes the hook by
with open("seen.txt", "w"):
    pass
"""


def test_no_file_is_written(small_graph: SmallGraphs, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", OPEN_AND_RUN, str(small_graph(Lowering.PORTABLE).path)]
    shown = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert [line.split()[:2] for line in shown.splitlines()] == [[], ["open", "seen.txt"]], (
        "but for what is written last"
    )


def test_what_was_compiled_is_loaded_again_while_there_is_room(
    small_graph: SmallGraphs, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[int] = []

    def compile_once_more(self: CpuTarget, *arguments: Any) -> Any:
        compiled.append(len(compiled))
        return original(self, *arguments)

    original = CpuTarget.compile
    monkeypatch.setattr(CpuTarget, "compile", compile_once_more)
    bench = CandidateBench(small_graph(Lowering.PORTABLE), TargetName.CPU, 1)
    for _ in range(2):
        with bench.open(None):
            pass
    assert len(compiled) == 1
    monkeypatch.setattr(candidates, "KEPT_BYTES", 0)
    with bench.open(PrecisionRecipe(Precision.FP32)), bench.open(None):
        pass
    assert len(compiled) == 3
