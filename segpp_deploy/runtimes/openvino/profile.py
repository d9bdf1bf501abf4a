"""What OpenVINO's profile says: the times of a run, and which of our nodes they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segpp_deploy.graph.network_parts import NetworkPart, RuntimeNode, parts_in_order
from segpp_deploy.runtimes.profiling import NodeTime

_FUSED_NAMES = "originalLayersNames"


def find_parts(compiled: Any) -> Mapping[str, NetworkPart]:
    """Return the part of the network that each node of a compiled model belongs to, by the names of what it fused."""
    running = compiled.get_runtime_model().get_ordered_ops()
    places = {operation.get_friendly_name(): index for index, operation in enumerate(running)}
    nodes = []
    for operation in running:
        facts = operation.get_rt_info()
        fused = facts[_FUSED_NAMES].astype(str).split(",") if _FUSED_NAMES in facts else []
        readers = [
            places[reader.get_node().get_friendly_name()]
            for output in operation.outputs()
            for reader in output.get_target_inputs()
        ]
        nodes.append(RuntimeNode([operation.get_friendly_name(), *fused], readers))
    return dict(zip(places, parts_in_order(nodes), strict=True))


def read_times(request: Any, parts: Mapping[str, NetworkPart]) -> list[NodeTime]:
    """Return the times of the last run. Nodes that were fused into others are listed without time, and left out."""
    return [
        NodeTime(node.node_type, parts.get(node.node_name, NetworkPart.REST), node.real_time.total_seconds() * 1000)
        for node in request.profiling_info
        if node.real_time
    ]
