"""From an engine to an `ICudaEngine`; whatever is in the way is said in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segpp_deploy import commands
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.contract import TensorSpec
from segpp_deploy.hardware.nvidia_gpu import require_gpu
from segpp_deploy.runtimes.target import EngineSource, describe_source
from segpp_deploy.runtimes.tensorrt.api import TensorRt
from segpp_deploy.runtimes.tensorrt.network import tensor_spec
from segpp_deploy.runtimes.tensorrt.plugins import load_plugins

REBUILD = "Build the engine again on this machine: " + commands.build_engine()


@dataclass(frozen=True)
class LoadedEngine:
    """An engine and what it takes and gives.

    Args:
        engine: the `ICudaEngine`.
        runtime: the `IRuntime` that made it, which must outlive it.
        input: its one input; the batch is None where it is dynamic.
        outputs: what it gives.
        max_batch: the largest batch.
    """

    engine: Any
    runtime: Any
    input: TensorSpec
    outputs: tuple[TensorSpec, ...]
    max_batch: int


def load_engine(trt: TensorRt, source: EngineSource, needs_plugins: bool) -> LoadedEngine:
    """Load an engine onto the GPU.

    Args:
        trt: the flavour.
        source: the engine.
        needs_plugins: whether the plugin library has to be there first.

    Raises:
        SegppError: there is no GPU or no plugin library, the runtime refuses the engine, or it has not one input.
    """
    gpu = require_gpu()
    if needs_plugins:
        load_plugins(trt, gpu.compute_capability)
    name, content = describe_source(source), source.read_bytes() if isinstance(source, Path) else source
    runtime = trt.api.Runtime(trt.logger)
    _check_validity(trt, runtime, name, content)
    trt.log.clear()
    engine = runtime.deserialize_cuda_engine(content)
    if engine is None:
        raise trt.error(
            f"{trt.info.runtime} {trt.version} cannot load {name}", "an engine built for this GPU.", REBUILD
        )
    return _describe(trt, runtime, engine, name)


def _check_validity(trt: TensorRt, runtime: Any, name: str, content: bytes) -> None:
    """Ask the library itself first, where it can tell (TensorRT-RTX)."""
    if not hasattr(runtime, "get_engine_validity"):
        return
    validity, diagnostics = runtime.get_engine_validity(content)
    if validity != trt.api.EngineValidity.INVALID:
        return
    members = trt.api.EngineInvalidityDiagnostics.__members__
    reasons = [name.lower().replace("_", " ") for name, bit in members.items() if int(diagnostics) & int(bit)]
    raise SegppError(
        f"{trt.info.runtime} {trt.version} cannot use {name} here: {', '.join(reasons) or 'it does not say why'}.",
        "an engine built for this version and this GPU.",
        REBUILD,
    )


def _describe(trt: TensorRt, runtime: Any, engine: Any, name: str) -> LoadedEngine:
    modes = trt.api.TensorIOMode
    ends: dict[Any, list[TensorSpec]] = {modes.INPUT: [], modes.OUTPUT: []}
    for index in range(engine.num_io_tensors):
        tensor = engine.get_tensor_name(index)
        spec = tensor_spec(trt.api, tensor, engine.get_tensor_dtype(tensor), engine.get_tensor_shape(tensor))
        ends[engine.get_tensor_mode(tensor)].append(spec)
    inputs, outputs = ends[modes.INPUT], ends[modes.OUTPUT]
    if len(inputs) != 1:
        raise SegppError(f"{name} has {len(inputs)} inputs.", "an engine with one.", REBUILD)
    batch = inputs[0].shape[0]
    max_batch = batch if batch is not None else int(engine.get_tensor_profile_shape(inputs[0].name, 0)[2][0])
    return LoadedEngine(engine, runtime, inputs[0], tuple(outputs), max_batch)
