"""OpenVINO models compiled for the CPU, set up the one way we use them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy import commands
from segpp_deploy.config import Lowering, Precision
from segpp_deploy.errors import SegppError, shorten
from segpp_deploy.hardware.cpu import physical_cores
from segpp_deploy.runtimes.openvino.info import OPENVINO
from segpp_deploy.runtimes.target import EngineSettings, EngineSource, RuntimeFacts, describe_source, import_runtime

_DEVICE = "CPU"
# Always said aloud: left to itself, OpenVINO computes float32 graphs in bfloat16 wherever the CPU can.
_PRECISION_HINTS = {Precision.FP32: "f32", Precision.BF16: "bf16"}


def openvino_facts() -> RuntimeFacts:
    """Return the installed OpenVINO's facts.

    Raises:
        SegppError: it is not installed.
    """
    version = str(import_runtime(OPENVINO).__version__)
    return RuntimeFacts("openvino", version.partition("-")[0])  # the build and branch follow the dash


def load_openvino(source: EngineSource, settings: EngineSettings, profile: bool = False) -> Any:
    """Return an `openvino.CompiledModel` of an ONNX graph.

    Args:
        source: the ONNX file, or its content.
        settings: precision and threads.
        profile: count the time of every operation.

    Raises:
        SegppError: OpenVINO is missing, rejects the graph, or this CPU lacks the precision.
    """
    openvino = import_runtime(OPENVINO)
    core = openvino.Core()
    _check_precision(core, settings.precision)
    config = {
        "INFERENCE_PRECISION_HINT": _precision_hint(core, settings.precision),
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": settings.threads or physical_cores(),
        "PERF_COUNT": profile,
    }
    try:
        content = source.read_bytes() if isinstance(source, Path) else source  # an engine file may have any suffix
        return core.compile_model(core.read_model(model=content), _DEVICE, config)
    except (RuntimeError, UnicodeDecodeError) as error:
        raise SegppError(
            f"OpenVINO cannot load {describe_source(source)}: {_reason(error)}",
            "a graph with the portable lowering that is whole.",
            commands.export(lowering=Lowering.PORTABLE) + ", then " + commands.build_engine(),
        ) from error


def run_openvino(request: Any, image: NDArray[Any]) -> list[NDArray[Any]]:
    """Run an inference request on images that fit the graph's input, and return copies of its outputs.

    Raises:
        SegppError: OpenVINO gives up, e.g. for lack of memory.
    """
    try:
        # The request reads the images in place; its results are copied, for the next run overwrites them.
        results = request.infer([image], share_inputs=True, share_outputs=True)
        return [np.array(results[index]) for index in range(len(results))]
    except (RuntimeError, UnicodeDecodeError) as error:
        raise SegppError(
            f"OpenVINO failed while it ran the graph: {_reason(error)}",
            "a graph that runs, and enough memory for it.",
            "Use a smaller size or batch, or export the graph again.",
        ) from error


def supports_bf16() -> bool:
    """Whether this CPU computes in bfloat16 faster than in float32 (AVX-512 BF16 or AMX).

    Raises:
        SegppError: OpenVINO is not installed.
    """
    return _supports_bf16(import_runtime(OPENVINO).Core())


def _supports_bf16(core: Any) -> bool:
    return "BF16" in core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")


def _precision_hint(core: Any, precision: Precision) -> str:
    """What is not quantised in an int8 graph is computed in bfloat16 where the CPU can: a tenth to a third faster."""
    if precision is Precision.INT8:
        precision = Precision.BF16 if _supports_bf16(core) else Precision.FP32
    return _PRECISION_HINTS[precision]


def _check_precision(core: Any, precision: Precision) -> None:
    if precision is Precision.BF16 and not _supports_bf16(core):
        raise SegppError(
            "This CPU cannot compute in bfloat16.",
            "a CPU with AVX-512 BF16 or AMX.",
            commands.build_engine(target=OPENVINO.name, precision=Precision.FP32),
        )


def _reason(error: Exception) -> str:
    """Return the last line of OpenVINO's report that says something; the first ones name its source files."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith(("Exception from", "Check "))]
    return shorten((telling or lines or [type(error).__name__])[-1])
