"""ONNX Runtime sessions, set up the one way we use them, for engines being built and engines being run."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segpp_deploy import commands
from segpp_deploy.config import Choice, Lowering
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.graph.contract import INPUT_NAME
from segpp_deploy.hardware.cpu import has_byte_products, physical_cores
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.onnxruntime.info import CPU, CUDA
from segpp_deploy.runtimes.onnxruntime.profile import OPTIMIZED_NAME
from segpp_deploy.runtimes.target import EngineSource, RuntimeFacts, TargetInfo, describe_source, import_runtime

_LOG_FATAL_ONLY = 4  # what fails reaches the caller as an exception anyway
_EXTEND_AS_REQUESTED = 1


class Provider(Choice):
    """The part of ONNX Runtime that computes."""

    CPU = "CPUExecutionProvider"
    CUDA = "CUDAExecutionProvider"


_INFOS = {Provider.CPU: CPU, Provider.CUDA: CUDA}


@dataclass(frozen=True)
class LoadOptions:
    """How to load ONNX.

    Args:
        provider: what computes.
        tf32: let a GPU round the factors of float32 products to 10 bits.
        cuda_graph: capture the first run, and replay it; inputs and outputs are to be bound, and stay where they are.
        threads: CPU threads; None = one per physical core.
        profile_folder: write a profile there, and the graph that runs.
        in_order: compute nodes in the order of the graph. By default ONNX Runtime goes from one output after the other
            backwards, and in a graph with hundreds of outputs keeps nearly every tensor until its end.
    """

    provider: Provider = Provider.CPU
    tf32: bool = False
    cuda_graph: bool = False
    threads: int | None = None
    profile_folder: Path | None = None
    in_order: bool = False


def onnxruntime_facts(info: TargetInfo) -> RuntimeFacts:
    """Return the installed ONNX Runtime's facts, with its CUDA version for the target CUDA.

    Raises:
        SegppError: it is not installed.
    """
    runtime = import_runtime(info)
    cuda = (getattr(runtime, "cuda_version", "") or None) if info.name is TargetName.CUDA else None
    return RuntimeFacts("onnxruntime", runtime.__version__, cuda=cuda)


def run_onnxruntime(session: Any, image: NDArray[Any]) -> list[NDArray[Any]]:
    """Run a loaded graph on images that fit its input, and return its outputs.

    Raises:
        SegppError: ONNX Runtime gives up, e.g. for lack of memory.
    """
    with explained():
        outputs: list[NDArray[Any]] = session.run(None, {INPUT_NAME: image})
    return outputs


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Say what ONNX Runtime says where it gives up while it runs.

    Raises:
        SegppError: it did.
    """
    try:
        yield
    except Exception as error:  # the binding's exceptions have no common base of their own
        raise SegppError(
            f"ONNX Runtime failed while it ran the graph: {one_line(error)}",
            "a graph that runs, and enough memory for its activations.",
            "Use a smaller size or batch, or export the graph again.",
        ) from error


def load_onnxruntime(source: EngineSource, options: LoadOptions) -> Any:
    """Return an `onnxruntime.InferenceSession`, its graph optimised for this machine.

    Args:
        source: an ONNX file or its content; the session keeps content for as long as it lives, but not a file's.
        options: how to load it.

    Raises:
        SegppError: ONNX Runtime is missing, cannot load the graph, or lacks the provider.
    """
    runtime = import_runtime(_INFOS[options.provider])
    _share_tight_arena()
    model = str(source) if isinstance(source, Path) else source
    try:
        session = runtime.InferenceSession(model, _session_options(runtime, options), providers=_providers(options))
    except Exception as error:  # the binding's exceptions have no common base of their own
        raise SegppError(
            f"ONNX Runtime cannot load {describe_source(source)}: {one_line(error)}",
            "a graph with the portable lowering that is whole.",
            commands.export(lowering=Lowering.PORTABLE) + ", then " + commands.build_engine(),
        ) from error
    if str(options.provider) not in session.get_providers():  # it falls back to the CPU in silence
        raise SegppError(
            "ONNX Runtime found no working CUDA device and would compute on the CPU.",
            "an NVIDIA GPU, its driver, and the CUDA and cuDNN libraries that this ONNX Runtime asks for.",
            commands.doctor() + " shows what is missing; on the CPU: " + commands.option("target", TargetName.CPU),
        )
    return session


def _session_options(runtime: Any, options: LoadOptions) -> Any:
    result = runtime.SessionOptions()
    result.log_severity_level = _LOG_FATAL_ONLY
    result.intra_op_num_threads = options.threads or physical_cores()
    result.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # The memory pattern allocates one block for the second run beside what the first run left in the arena: at
    # 1024x2048 the peak rose by two thirds and not a millisecond was gained.
    result.enable_mem_pattern = False
    result.add_session_config_entry("session.use_env_allocators", "1")
    # x86 CPUs without VNNI add pairs of unsigned by signed products in 16 bits, which saturate: wrong results in int8.
    # There this takes exact unsigned kernels; where VNNI is, they would cost all that int8 gains.
    if not has_byte_products():
        result.add_session_config_entry("session.x64quantprecision", "1")
    if options.in_order:
        result.execution_order = runtime.ExecutionOrder.PRIORITY_BASED
    if options.profile_folder is not None:
        result.enable_profiling = True
        result.profile_file_prefix = str(options.profile_folder / "run")
        result.optimized_model_filepath = str(options.profile_folder / OPTIMIZED_NAME)
    return result


def _providers(options: LoadOptions) -> list[str | tuple[str, dict[str, str]]]:
    if options.provider is Provider.CPU:
        return [str(Provider.CPU)]
    cuda = {
        "use_tf32": str(int(options.tf32)),
        "enable_cuda_graph": str(int(options.cuda_graph)),
        "arena_extend_strategy": "kSameAsRequested",
    }
    return [(str(Provider.CUDA), cuda), str(Provider.CPU)]


@functools.cache
def _share_tight_arena() -> None:
    """Give all sessions of this process one memory arena that grows by what is asked for.

    The default arena doubles each time, which at 1024x2048 cost half as much memory again. The shared one keeps its
    memory for the next session until the process ends.
    """
    import onnxruntime

    onnxruntime.set_default_logger_severity(_LOG_FATAL_ONLY)
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    arena = onnxruntime.OrtArenaCfg({"arena_extend_strategy": _EXTEND_AS_REQUESTED})
    onnxruntime.create_and_register_allocator(memory, arena)
