"""TensorRT-RTX as a gate: it parses and builds on machines without a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest


def build_with_rtx(path: Path, batches: tuple[int, int, int] | None = None) -> int:
    """Parse and build for compute capability 8.9; return the engine's size in bytes.

    Args:
        path: a portable ONNX file.
        batches: smallest, usual and largest batch of a dynamic graph.
    """
    trt = pytest.importorskip("tensorrt_rtx")
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    assert parser.parse_from_file(str(path)), [str(parser.get_error(i)) for i in range(parser.num_errors)]
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM89, 0)
    if batches:
        image = network.get_input(0)
        profile = builder.create_optimization_profile()
        profile.set_shape(image.name, *((batch, *image.shape[1:]) for batch in batches))
        config.add_optimization_profile(profile)
    engine = builder.build_serialized_network(network, config)
    assert engine is not None, "TensorRT-RTX refused the network"
    return int(engine.nbytes)
