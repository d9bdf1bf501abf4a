"""What ONNX Runtime's profile says: the events of a run, and which of our nodes they come from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segpp_deploy.graph.network_parts import NetworkPart, RuntimeNode, parts_in_order
from segpp_deploy.runtimes.profiling import NodeTime, summarize
from segpp_deploy.runtimes.session import Profile
from segpp_deploy.runtimes.target import EngineSource

OPTIMIZED_NAME = "optimized.onnx"
"""The file, beside the profile, of the graph that ONNX Runtime runs."""

_KERNEL_SUFFIX = "_kernel_time"
_BLOCKED_SUFFIX = "_nchwc"


def find_parts(engine: EngineSource, optimized: Path) -> Mapping[str, NetworkPart]:
    """Return the part of the network that each node of the optimised graph belongs to.

    What ONNX Runtime writes in the place of nodes still makes the last one's tensor, or, where it keeps channels in
    blocks, is named after it.

    Args:
        engine: the graph that was loaded.
        optimized: the graph that runs.
    """
    import onnx

    ours = onnx.load(str(engine)) if isinstance(engine, Path) else onnx.load_from_string(engine)
    makers = {tensor: node.name for node in ours.graph.node for tensor in node.output}
    running = onnx.load(str(optimized), load_external_data=False).graph.node
    readers: dict[str, list[int]] = defaultdict(list)
    for index, node in enumerate(running):
        for tensor in node.input:
            readers[tensor].append(index)
    nodes = []
    for node in running:
        tensors = (*node.output, node.name.removesuffix(_BLOCKED_SUFFIX))
        names = [node.name, *(makers[tensor] for tensor in tensors if tensor in makers)]
        nodes.append(RuntimeNode(names, [index for tensor in node.output for index in readers[tensor]]))
    return dict(zip((node.name for node in running), parts_in_order(nodes), strict=True))


def sum_events(events: list[dict[str, Any]], skip_runs: int, parts: Mapping[str, NetworkPart]) -> Profile:
    """Sum ONNX Runtime's profile events as means over the runs but the first `skip_runs`.

    Example:
        >>> run = {"name": "model_run", "cat": "Session", "ts": 0, "dur": 3000}
        >>> add = {"name": "a_kernel_time", "cat": "Node", "ts": 1, "dur": 2000, "args": {"op_name": "Add"}}
        >>> sum_events([run, add], skip_runs=0, parts={"a": NetworkPart.HEAD}).operations
        (OperationTime(operation='Add', milliseconds=2.0, count=1),)
    """
    starts = sorted(event["ts"] for event in events if event.get("name") == "model_run")[skip_runs:]
    nodes = (
        NodeTime(
            event["args"]["op_name"],
            parts.get(event["name"].removesuffix(_KERNEL_SUFFIX), NetworkPart.REST),
            event["dur"] / 1000,
        )
        for event in events
        if starts and event.get("cat") == "Node" and event["name"].endswith(_KERNEL_SUFFIX) and event["ts"] >= starts[0]
    )
    return summarize(nodes, len(starts))
