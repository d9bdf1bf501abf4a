"""TensorRT-RTX as a gate: it parses and builds on machines without a GPU."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ITEM_BYTES = {"Float": 4, "Half": 2, "BFloat16": 2, "Int64": 8, "Int32": 4, "Int8": 1, "UInt8": 1, "Bool": 1, "FP8": 1}


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


@dataclass(frozen=True)
class EngineKernel:
    """A kernel that an engine launches.

    Args:
        tactic: what computes it, e.g. "_gemm_mha_v2", without the hash of its code.
        nodes: our nodes that are in it.
        moved_bytes: of the tensors that it reads, weights among them, and writes.
    """

    tactic: str
    nodes: tuple[str, ...]
    moved_bytes: int


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
    config = _configure(trt, builder)
    if batches:
        image = network.get_input(0)
        profile = builder.create_optimization_profile()
        profile.set_shape(image.name, *((batch, *image.shape[1:]) for batch in batches))
        config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise RtxRefusedError("the builder gave no engine; its reasons are on stderr")
    return RtxBuild(network.num_layers, int(engine.nbytes), time.perf_counter() - start)


def read_kernels(path: Path) -> list[EngineKernel]:
    """Build for compute capability 8.9, and return the kernels in the engine's order, as the builder's log lists them.

    Raises:
        RtxRefusedError: with the parser's reasons.
        ImportError: tensorrt_rtx is not installed.
    """
    messages: list[str] = []
    trt, builder, network, _parser = _parse(path, messages)
    config = _configure(trt, builder)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if builder.build_serialized_network(network, config) is None:
        raise RtxRefusedError("the builder gave no engine")
    (listed,) = (message for message in messages if message.startswith("Layers:\n"))
    return [parse_kernel(line) for line in listed.splitlines() if line.startswith("Name: ")]


def parse_kernel(line: str) -> EngineKernel:
    """Read a layer as TensorRT writes it."""
    tensors = re.findall(r"Dimensions: \[([\d,]*)\].*?Datatype: (\w+)", line)
    moved = sum(math.prod(map(int, filter(None, shape.split(",")))) * _ITEM_BYTES[kind] for shape, kind in tensors)
    found = re.search(r"TacticName: (\w+?)(_0x[0-9a-f]+)?,", line)
    tactic = found.group(1) if found else re.sub(r".*LayerType: (\w+).*", r"\1", line)
    return EngineKernel(tactic, tuple(re.findall(r"\[ONNX Layer: ([^\]]+)\]", line)), moved)


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


def _configure(trt: Any, builder: Any) -> Any:
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM89, 0)
    return config


def _parse(path: Path, messages: list[str] | None = None) -> tuple[Any, Any, Any, Any]:
    """Return (module, builder, network, parser); the network lives as long as the others do.

    Args:
        path: an ONNX file.
        messages: takes all that TensorRT says; by default it prints errors.
    """
    import tensorrt_rtx as trt

    class Collector(trt.ILogger):  # type: ignore[misc]
        """Keeps what is said."""

        def __init__(self, kept: list[str]) -> None:
            trt.ILogger.__init__(self)
            self._kept = kept

        def log(self, _severity: Any, message: str) -> None:
            self._kept.append(message)

    logger = trt.Logger(trt.Logger.ERROR) if messages is None else Collector(messages)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(path)):
        raise RtxRefusedError("; ".join(str(parser.get_error(index)) for index in range(parser.num_errors)))
    return trt, builder, network, parser
