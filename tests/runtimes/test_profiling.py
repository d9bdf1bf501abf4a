"""Times of nodes over several runs."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

from segpp_deploy.config import Precision, Preset, TorchDevice
from segpp_deploy.engine.open import open_session
from segpp_deploy.graph.network_parts import NetworkPart, part_of
from segpp_deploy.graph.rewrites.onnxruntime import rewrite_for_onnxruntime
from segpp_deploy.graph.rewrites.openvino import rewrite_for_openvino
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.onnx_engine import serialize_onnx
from segpp_deploy.runtimes.onnxruntime import profile as onnxruntime_profile
from segpp_deploy.runtimes.onnxruntime.loader import LoadOptions, load_onnxruntime
from segpp_deploy.runtimes.openvino import profile as openvino_profile
from segpp_deploy.runtimes.openvino.loader import load_openvino
from segpp_deploy.runtimes.profiling import NodeTime, OperationGroup, group_of, profile_session, summarize
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.runtimes.target import EngineSettings
from segpp_deploy.runtimes.torch.program import TorchProgram
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from tests.graph.precision.conftest import GraphMaker, make_graph
from tests.support.tiny_graphs import write_tiny

__all__ = ["make_graph"]


def test_an_operation_too_quick_for_the_clock_in_most_runs_is_counted_once() -> None:
    (seen,) = summarize([NodeTime("cast", NetworkPart.REST, 0.003)], runs=3).operations
    assert seen.count == 1
    assert seen.milliseconds == 0.001


def test_operations_and_parts_are_two_sums_of_the_same_time() -> None:
    nodes = [NodeTime("conv", NetworkPart.HEAD, 4), NodeTime("conv", NetworkPart.ATTENTION, 2)]
    profile = summarize([*nodes, NodeTime("add", NetworkPart.HEAD, 1)] * 2, runs=2)
    assert [(time.operation, time.milliseconds, time.count) for time in profile.operations] == [
        ("conv", pytest.approx(6), 2),
        ("add", pytest.approx(1), 1),
    ]
    assert list(profile.parts) == list(NetworkPart)
    assert profile.parts[NetworkPart.HEAD] == 5
    assert profile.parts[NetworkPart.ATTENTION] == 2


@pytest.mark.parametrize("target", [TargetName.CPU, TargetName.OPENVINO, TargetName.TORCH])
def test_what_computes_belongs_to_a_part(target: TargetName, make_graph: GraphMaker, tmp_path: Path) -> None:
    """Whatever a runtime fuses and calls by names of its own."""
    graph = ir.to_proto(make_graph(Preset.HQ_PLUS))
    if target is TargetName.CPU:
        engine = serialize_onnx(rewrite_for_onnxruntime(graph))
        load_onnxruntime(engine, LoadOptions(profile_folder=tmp_path)).end_profiling()
        optimized = tmp_path / onnxruntime_profile.OPTIMIZED_NAME
        parts = onnxruntime_profile.find_parts(engine, optimized)
        kinds = {node.name: node.op_type for node in onnx.load(optimized).graph.node}
    elif target is TargetName.TORCH:
        steps = {step.outputs[0]: step for step in TorchProgram(graph, TorchDevice.CPU, Precision.FP32).steps}
        parts = {name: part_of(step.name) for name, step in steps.items()}
        kinds = {name: step.operation for name, step in steps.items()}
    else:
        engine = serialize_onnx(rewrite_for_openvino(graph, Precision.FP32))
        compiled = load_openvino(engine, EngineSettings())
        parts = openvino_profile.find_parts(compiled)
        running = compiled.get_runtime_model().get_ops()
        kinds = {one.get_friendly_name(): one.get_rt_info()["layerType"].astype(str) for one in running}
    assert parts.keys() == kinds.keys()
    groups = {name: group_of(kind) for name, kind in kinds.items()}
    products = [name for name, group in groups.items() if group is OperationGroup.PRODUCTS]
    assert len(products) > 50
    assert not [name for name in products if parts[name] is NetworkPart.REST]
    norms = [name for name, group in groups.items() if group is OperationGroup.NORMS]
    assert sum(parts[name] is NetworkPart.REST for name in norms) <= 4, "the norms at the ends of the stages"
    assert set(parts.values()) == set(NetworkPart)


@pytest.mark.parametrize("target", [TargetName.CPU, TargetName.OPENVINO, TargetName.TORCH])
def test_an_engine_whose_nodes_have_no_paths_has_one_part(target: TargetName, tmp_path: Path) -> None:
    engine = run_build(write_tiny(tmp_path / "tiny.onnx"), tmp_path / "tiny.engine", BuildOptions(target)).path
    profile = profile_session(open_session(engine, SessionOptions(threads=1, profile=True)), runs=2, warmup=1)
    total = sum(time.milliseconds for time in profile.operations)
    assert profile.parts[NetworkPart.REST] == pytest.approx(total)
