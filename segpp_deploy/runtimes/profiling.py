"""Profiles of sessions: taking one, and summing its nodes, so that engines can be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from segpp_deploy.config import Choice
from segpp_deploy.graph.contract import noise_images
from segpp_deploy.graph.network_parts import NetworkPart
from segpp_deploy.runtimes.session import OperationTime, Profile, ProfiledSession


def profile_session(session: ProfiledSession, runs: int, warmup: int, open_batch: int = 1) -> Profile:
    """Run a session on noise, close it and return where its time went.

    Args:
        session: opened with `SessionOptions(profile=True)`.
        runs: how many runs count.
        warmup: how many before them do not.
        open_batch: images per run where the batch is open.
    """
    images = noise_images(session.metadata, open_batch)
    for _ in range(warmup + runs):
        session.run(images)
    return session.profile(skip_runs=warmup)


@dataclass(frozen=True)
class NodeTime:
    """One run of one node."""

    operation: str
    part: NetworkPart
    milliseconds: float


def summarize(nodes: Iterable[NodeTime], runs: int) -> Profile:
    """Return the profile of a mean run, of the nodes of `runs` runs.

    Example:
        >>> nodes = [NodeTime("conv", NetworkPart.HEAD, 2.0), NodeTime("conv", NetworkPart.HEAD, 4.0)]
        >>> summarize(nodes, runs=2).operations
        (OperationTime(operation='conv', milliseconds=3.0, count=1),)
    """
    milliseconds: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    parts = dict.fromkeys(NetworkPart, 0.0)
    for node in nodes:
        milliseconds[node.operation] += node.milliseconds / runs
        counts[node.operation] += 1
        parts[node.part] += node.milliseconds / runs
    operations = [
        OperationTime(operation, mean, max(1, round(counts[operation] / runs)))
        for operation, mean in milliseconds.items()
    ]
    return Profile(tuple(sorted(operations, key=lambda time: time.milliseconds, reverse=True)), parts)


class OperationGroup(Choice):
    """What an operation does."""

    PRODUCTS = "convolutions and products"
    CONVERSIONS = "conversions and layout"
    NORMS = "norms and softmax"
    RESIZING = "resizing"
    ELEMENTWISE = "element by element"
    OTHER = "merging and the rest"


# Names as ONNX Runtime 1.2x, OpenVINO 202x and our own programs of PyTorch use them in their profiles.
_MEMBERS = {
    OperationGroup.PRODUCTS: (
        "Conv FusedConv QLinearConv ConvInteger MatMul FusedMatMul MatMulInteger MatMulIntegerToFloat QLinearMatMul "
        "Gemm QGemm "
        "Convolution GroupConvolution FullyConnected FullyConnectedQuantized FullyConnectedQuantizedLegacy "
        "FullyConnectedCompressed ScaledDotProductAttention Linear"
    ),
    OperationGroup.CONVERSIONS: (
        "QuantizeLinear DequantizeLinear Cast ReorderInput ReorderOutput Transpose Reshape "
        "Convert Reorder FakeQuantize"
    ),
    OperationGroup.NORMS: (
        "LayerNormalization SkipLayerNormalization SimplifiedLayerNormalization ReduceL2 Softmax MVN SoftMax"
    ),
    OperationGroup.RESIZING: "Resize Upsample Interpolate",
    OperationGroup.ELEMENTWISE: (
        "Add Sub Mul Div Max Gelu Erf Tanh Relu BiasGelu FastGelu "
        "Subgraph Eltwise Multiply Subtract Divide Maximum"
    ),
}  # fmt: skip
_GROUP_OF = {name: group for group, names in _MEMBERS.items() for name in names.split()}


def group_of(operation: str) -> OperationGroup:
    """Return the group of an operation; an unknown one counts as `OTHER`."""
    return _GROUP_OF.get(operation, OperationGroup.OTHER)


def group_times(times: Iterable[OperationTime]) -> dict[OperationGroup, float]:
    """Return milliseconds by group, all groups in their order.

    Example:
        >>> group_times([OperationTime("Conv", 2.0, 1), OperationTime("Gemm", 1.0, 4)])[OperationGroup.PRODUCTS]
        3.0
    """
    milliseconds = dict.fromkeys(OperationGroup, 0.0)
    for time in times:
        milliseconds[group_of(time.operation)] += time.milliseconds
    return milliseconds
