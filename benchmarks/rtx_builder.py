"""TensorRT-RTX as a gate: it parses and builds on machines without a GPU."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RtxBuild:
    """What came of a build; `layers` counts the parsed network's."""

    layers: int
    engine_bytes: int
    seconds: float


class RtxRefusedError(Exception):
    """TensorRT-RTX cannot parse or build the graph."""


def build_with_rtx(path: Path, batches: tuple[int, int, int] | None = None) -> RtxBuild:
    """Parse and build for compute capability 8.9.

    Args:
        path: a portable ONNX file.
        batches: smallest, usual and largest batch of a dynamic graph.

    Raises:
        RtxRefusedError: with the parser's reasons.
        ImportError: tensorrt_rtx is not installed.
    """
    import tensorrt_rtx as trt

    start = time.perf_counter()
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(path)):
        raise RtxRefusedError("; ".join(str(parser.get_error(index)) for index in range(parser.num_errors)))
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM89, 0)
    if batches:
        image = network.get_input(0)
        profile = builder.create_optimization_profile()
        profile.set_shape(image.name, *((batch, *image.shape[1:]) for batch in batches))
        config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise RtxRefusedError("the builder gave no engine; its reasons are on stderr")
    return RtxBuild(network.num_layers, int(engine.nbytes), time.perf_counter() - start)
