"""From a graph file to the bytes of an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from segpp_deploy.config import Precision
from segpp_deploy.graph.contract import INPUT_NAME
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.builder_options import BuilderOption
from segpp_deploy.runtimes.target import EngineSettings
from segpp_deploy.runtimes.tensorrt.api import TensorRt
from segpp_deploy.runtimes.tensorrt.network import parse_network
from segpp_deploy.runtimes.tensorrt.precision import LayerTypes, count_layer_types, require_precision
from segpp_deploy.runtimes.tensorrt.progress import BuildTracker, make_monitor, run_tracked
from segpp_deploy.runtimes.tensorrt.timing_cache import load_timing_cache, save_timing_cache

_BYTES_PER_MIB = 1 << 20


@dataclass(frozen=True)
class BuildJob:
    """One engine to build.

    Args:
        trt: the flavour.
        graph: what to build.
        settings: precision and the builder's settings.
        compute_capabilities: to set on the builder; () where it builds for the GPU that is here and takes no other.
    """

    trt: TensorRt
    graph: GraphFile
    settings: EngineSettings
    compute_capabilities: tuple[str, ...] = ()


def build_plan(job: BuildJob, progress: Progress) -> tuple[bytes, LayerTypes]:
    """Return the engine, and how many of its heavy layers compute in which number format.

    Raises:
        SegppError: the graph does not parse, its network is not in the requested precision, or the builder gives up;
            with the library's reasons.
        KeyboardInterrupt: Ctrl-C; the library has stopped then.
    """
    trt = job.trt
    builder = trt.api.Builder(trt.logger)
    parsed = parse_network(trt, builder, job.graph)  # kept here: it must outlive the build
    types = count_layer_types(parsed.network)
    require_precision(types, job.settings.precision, str(job.graph.path))
    tracker = BuildTracker()
    monitor = make_monitor(trt.api, tracker)  # kept here: it must outlive the configuration
    config = _configure(job, builder, parsed.network)
    config.progress_monitor = monitor
    trt.log.clear()
    plan = run_tracked(lambda: builder.build_serialized_network(parsed.network, config), tracker, progress)
    if plan is None:
        raise trt.error(
            f"{trt.info.runtime} {trt.version} cannot build {job.graph.path}",
            "a graph that fits the GPU and its memory.",
            "Use a smaller size, another workspace, or a newer version; docs/debugging.md says how to look further.",
        )
    cache = job.settings.builder.timing_cache
    if cache is not None:
        save_timing_cache(trt, config, cache)
    return bytes(plan), types


def _configure(job: BuildJob, builder: Any, network: Any) -> Any:
    api, settings = job.trt.api, job.settings.builder
    config = builder.create_builder_config()
    # Names and types of every layer stay readable in the engine, for profiles and `polygraphy inspect model`.
    config.profiling_verbosity = api.ProfilingVerbosity.DETAILED
    if job.settings.precision is Precision.FP32:
        config.clear_flag(api.BuilderFlag.TF32)  # float32 means float32: similarities choose which tokens merge
    if settings.workspace_mib is not None:
        config.set_memory_pool_limit(api.MemoryPoolType.WORKSPACE, settings.workspace_mib * _BYTES_PER_MIB)
    if job.compute_capabilities:
        _set_compute_capabilities(api, config, job.compute_capabilities)
    if job.graph.metadata.batch is None:
        _add_profile(builder, config, network, settings.batch_range)
    if settings.timing_cache is not None and BuilderOption.TIMING_CACHE in job.trt.info.builder_options:
        load_timing_cache(job.trt, config, settings.timing_cache)
    return config


def _set_compute_capabilities(api: Any, config: Any, names: tuple[str, ...]) -> None:
    config.num_compute_capabilities = len(names)
    for index, name in enumerate(names):
        config.set_compute_capability(getattr(api.ComputeCapability, f"SM{name.replace('.', '')}"), index)


def _add_profile(builder: Any, config: Any, network: Any, batches: tuple[int, int, int]) -> None:
    image = network.get_input(0)
    profile = builder.create_optimization_profile()
    profile.set_shape(INPUT_NAME, *((batch, *image.shape[1:]) for batch in batches))
    config.add_optimization_profile(profile)
