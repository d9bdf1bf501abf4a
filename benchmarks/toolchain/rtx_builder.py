"""TensorRT-RTX as a gate: it parses and builds on machines without a GPU."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RtxBuild:
    """What came of a build; `layers` counts the parsed network's."""

    layers: int
    engine_bytes: int
    seconds: float


@dataclass(frozen=True)
class NetworkLayer:
    """A layer of a parsed network, in TensorRT's words: its kind and the types of what it reads and makes."""

    name: str
    kind: str
    reads: tuple[str, ...]
    makes: tuple[str, ...]


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
    start = time.perf_counter()
    trt, builder, network, _parser = _parse(path)
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


def read_network(path: Path) -> list[NetworkLayer]:
    """Parse a file, build nothing, and return the layers as TensorRT types them (strongly: by the graph alone).

    Raises:
        RtxRefusedError: with the parser's reasons.
        ImportError: tensorrt_rtx is not installed.
    """
    _, _, network, _parser = _parse(path)
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    return [
        NetworkLayer(
            layer.name,
            layer.type.name,
            tuple(_type_name(layer.get_input(index)) for index in range(layer.num_inputs)),
            tuple(_type_name(layer.get_output(index)) for index in range(layer.num_outputs)),
        )
        for layer in layers
    ]


def _type_name(tensor: Any) -> str:
    return "" if tensor is None else str(tensor.dtype.name)


def _parse(path: Path) -> tuple[Any, Any, Any, Any]:
    """Return (module, builder, network, parser); the network lives as long as the others do."""
    import tensorrt_rtx as trt

    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(path)):
        raise RtxRefusedError("; ".join(str(parser.get_error(index)) for index in range(parser.num_errors)))
    return trt, builder, network, parser
