"""Which part of the network a node belongs to: known at the export, kept by every rewrite."""

from __future__ import annotations

from collections import Counter

import onnx
import onnx_ir as ir
import pytest

from segpp_deploy.config import Lowering, Precision, Preset
from segpp_deploy.graph.network_parts import NetworkPart, RuntimeNode, part_of, parts_in_order
from segpp_deploy.graph.precision.half import to_fp16
from segpp_deploy.graph.precision.layers import LayerKind, find_layers
from segpp_deploy.graph.precision.qdq import quantize
from segpp_deploy.graph.rewrites.onnxruntime import rewrite_for_onnxruntime
from segpp_deploy.graph.rewrites.openvino import rewrite_for_openvino
from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.ops.node_names import path_in
from tests.graph.precision.conftest import GraphMaker, make_graph

__all__ = ["make_graph"]

PARTS = {
    NetworkPart.PATCH_EMBEDDING: {LayerKind.PATCH_EMBED},
    NetworkPart.ATTENTION: {LayerKind.REDUCTION, LayerKind.QUERY, LayerKind.KEY, LayerKind.VALUE, LayerKind.OUTPUT},
    NetworkPart.FEED_FORWARD: {LayerKind.EXPAND, LayerKind.DEPTHWISE, LayerKind.PROJECT},
    NetworkPart.HEAD: {LayerKind.HEAD_STAGE, LayerKind.HEAD_PREDICT},
}
PRESETS_HERE = [Preset.HQ_PLUS, Preset.POOL_2X2]


def parts_in(graph: ir.Model) -> dict[str, NetworkPart]:
    """The part of every node by the name of its first output; each node has to have a path."""
    assert all(path_in(node.name) for node in graph.graph), [n.name for n in graph.graph if not path_in(n.name)]
    names = [node.name for node in graph.graph]
    assert len(set(names)) == len(names)
    return {node.outputs[0].name or "": part_of(node.name or "") for node in graph.graph}


def as_int8(graph: ir.Model) -> ir.Model:
    values = [value.name for node in graph.graph for value in node.outputs] + ["image"]
    layers = [layer.name for layer in find_layers(graph)]
    return quantize(graph, dict.fromkeys(filter(None, values), 4.0), layers, outputs=True).model


@pytest.mark.parametrize("preset", PRESETS_HERE)
def test_layers_are_in_the_part_that_their_weights_speak_of(preset: Preset, make_graph: GraphMaker) -> None:
    for lowering in Lowering:
        for graph in (make_graph(preset, lowering), to_fp16(make_graph(preset, lowering)).model):
            parts_in(graph)
            for layer in find_layers(graph):
                assert layer.kind in PARTS[part_of(layer.node.name or "")], layer.node.name


@pytest.mark.parametrize("preset", PRESETS_HERE)
def test_what_no_weights_tell(preset: Preset, make_graph: GraphMaker) -> None:
    graph = make_graph(preset, Lowering.PLUGIN)
    parts = parts_in(graph)
    by_type = {
        "Softmax": NetworkPart.ATTENTION,
        "Gelu": NetworkPart.FEED_FORWARD,
        "AveragePool": NetworkPart.MERGING,
        "Relu": NetworkPart.HEAD,
        "UpsampleArgmax": NetworkPart.HEAD,
    }
    for node in graph.graph:
        part = parts[node.outputs[0].name or ""]
        if node.op_type in by_type or node.domain == DOMAIN:
            assert part is by_type.get(node.op_type, NetworkPart.MERGING), node.name
        if node.op_type == "Resize":
            assert part is (NetworkPart.HEAD if (node.name or "").startswith("head") else NetworkPart.MERGING)
    assert parts["labels"] is NetworkPart.HEAD
    counts = Counter(parts.values())
    assert counts[NetworkPart.REST] == 4 + 4 * 3, "the picture's cast, layout and normalisation; each stage's last norm"
    if preset is Preset.POOL_2X2:
        assert counts[NetworkPart.MERGING] > 2 * sum(node.op_type == "AveragePool" for node in graph.graph)


def test_residuals_are_counted_with_what_they_are_added_to(make_graph: GraphMaker) -> None:
    pooled = make_graph(Preset.POOL_2X2)
    sums = Counter(part_of(node.name or "") for node in pooled.graph if node.op_type == "Add" and is_residual(node))
    assert sums[NetworkPart.FEED_FORWARD] == 8  # one in each layer of B0
    assert sums[NetworkPart.ATTENTION] + sums[NetworkPart.MERGING] == 8
    assert sums[NetworkPart.MERGING] > 0


def is_residual(addition: ir.Node) -> bool:
    shapes = [value.shape for value in addition.inputs if value is not None and not value.is_initializer()]
    return len(shapes) == 2 and all(shape is not None and len(shape) == 3 for shape in shapes)


@pytest.mark.parametrize("preset", PRESETS_HERE)
def test_rewrites_keep_the_parts(preset: Preset, make_graph: GraphMaker) -> None:
    before = parts_in(make_graph(preset))

    def rewritten(model: onnx.ModelProto) -> dict[str, NetworkPart]:
        return parts_in(ir.from_proto(model))

    forms = [
        rewritten(rewrite_for_onnxruntime(ir.to_proto(make_graph(preset)))),
        rewritten(rewrite_for_openvino(ir.to_proto(make_graph(preset)), Precision.FP32, joins_depthwise=True)),
        parts_in(as_int8(make_graph(preset))),
        rewritten(rewrite_for_onnxruntime(ir.to_proto(as_int8(make_graph(preset))))),
    ]
    for after in forms:
        assert {name: part for name, part in after.items() if name in before}.items() <= before.items()
        more = Counter(after.values())[NetworkPart.REST] - Counter(before.values())[NetworkPart.REST]
        assert more in (0, 2), "a picture that is normalised by row changes its shape twice"
        assert len(after.keys() - before.keys()) > 0


def test_a_fused_node_is_where_most_of_it_is() -> None:
    project, add = "a.layers.0.feed_forward.project/conv", "a.layers.0.feed_forward/add"
    assert parts_in_order([RuntimeNode(["a.layers.1.norm1/norm", project, add])]) == (NetworkPart.FEED_FORWARD,)
    assert parts_in_order([RuntimeNode(["a.layers.1.norm1/norm", add])]) == (NetworkPart.ATTENTION,)


def test_what_a_runtime_puts_in_counts_for_what_reads_it() -> None:
    nodes = [RuntimeNode(["Reorder"], [1, 2]), RuntimeNode(["Reshape"]), RuntimeNode(["head.predict/conv"], [])]
    assert parts_in_order(nodes) == (NetworkPart.HEAD, NetworkPart.REST, NetworkPart.HEAD)
    assert parts_in_order([RuntimeNode(["Reorder"], [1]), RuntimeNode(["input/sub"])])[0] is NetworkPart.REST
