"""The targets an engine can be built for: one table of facts, and the protocol each implements.

A new target is one module under `segpp_deploy/engine/targets` and one entry in `TARGETS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from numpy.typing import NDArray

from segpp_deploy.config import Choice, Lowering, Precision
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.hardware.cpu import has_nvidia_gpu
from segpp_deploy.runtimes.builder_settings import BuilderOption, BuilderSettings

ReportFraction = Callable[[float], None]  # takes how much of the build is done, 0 .. 1


class TargetName(Choice):
    """What `build-engine --target` takes."""

    AUTO = "auto"
    CPU = "cpu"
    OPENVINO = "openvino"
    CUDA = "cuda"
    TENSORRT = "tensorrt"
    TENSORRT_RTX = "tensorrt-rtx"


@dataclass(frozen=True)
class Int8Use:
    """What int8 covers on a target.

    Args:
        rest: number format of what is not quantised.
        every_layer: quantise depthwise convolutions and the decode head too. On a CPU a convolution left in float32
            between quantised ones costs a conversion on either side, more than it takes itself
            (benchmarks/measure/int8_speed.py); the accuracy gate guards the rest.
        outputs: quantise the results of convolutions too: the runtime computes only such ones in int8.
    """

    rest: Precision
    every_layer: bool = False
    outputs: bool = False


@dataclass(frozen=True)
class TargetInfo:
    """The facts of one target, for messages, `doctor` and documentation alike.

    Args:
        name: the target.
        description: where it runs, in a few words.
        runtime: the runtime's name as people write it.
        module: the Python module of the runtime.
        extra: the extra of segpp-deploy that installs the runtime.
        implementation: "module:class" of its `Target`.
        lowerings: the graphs it takes, the preferred one first.
        graph_precisions: the precisions a graph may have.
        runtime_precisions: precisions to which the runtime itself can take a float32 graph.
        int8: what int8 covers; None where the target has none.
        builder_options: what its builder can be asked for.
    """

    name: TargetName
    description: str
    runtime: str
    module: str
    extra: str
    implementation: str
    lowerings: tuple[Lowering, ...] = (Lowering.PORTABLE,)
    graph_precisions: tuple[Precision, ...] = (Precision.FP32,)
    runtime_precisions: tuple[Precision, ...] = ()
    int8: Int8Use | None = None
    builder_options: tuple[BuilderOption, ...] = ()

    @property
    def install_command(self) -> str:
        """The command that installs the runtime."""
        return f"pip install 'segpp-deploy[{self.extra}]'"

    @property
    def builds_elsewhere(self) -> bool:
        """Whether it builds for devices that are not here."""
        return BuilderOption.COMPUTE_CAPABILITY in self.builder_options

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """Every precision an engine may have."""
        return tuple(dict.fromkeys((*self.graph_precisions, *self.runtime_precisions)))


_TENSORRT_PRECISIONS = (Precision.FP32, Precision.FP16, Precision.INT8)
_TENSORRT_OPTIONS = (BuilderOption.OPT_BATCH, BuilderOption.MAX_BATCH, BuilderOption.WORKSPACE)

TARGETS: dict[TargetName, TargetInfo] = {
    info.name: info
    for info in (
        TargetInfo(
            TargetName.CPU,
            description="any CPU; the default without a GPU",
            runtime="ONNX Runtime",
            module="onnxruntime",
            extra="cpu",
            graph_precisions=(Precision.FP32, Precision.INT8),
            int8=Int8Use(rest=Precision.FP32, every_layer=True, outputs=True),
            implementation="segpp_deploy.runtimes.onnxruntime.cpu:CpuTarget",
        ),
        TargetInfo(
            TargetName.OPENVINO,
            description="x86 and Arm CPUs; bfloat16 where the CPU has it",
            runtime="OpenVINO",
            module="openvino",
            extra="openvino",
            graph_precisions=(Precision.FP32, Precision.INT8),
            runtime_precisions=(Precision.BF16,),
            int8=Int8Use(rest=Precision.BF16, every_layer=True),  # float32 where the CPU lacks bf16
            implementation="segpp_deploy.runtimes.openvino.target:OpenVinoTarget",
        ),
        TargetInfo(
            TargetName.CUDA,
            description="NVIDIA GPUs without TensorRT",
            runtime="ONNX Runtime with CUDA",
            module="onnxruntime",
            extra="gpu",
            implementation="segpp_deploy.runtimes.onnxruntime.cuda:CudaTarget",
        ),
        TargetInfo(
            TargetName.TENSORRT,
            description="NVIDIA GPUs from Jetson to the data centre",
            runtime="TensorRT",
            module="tensorrt",
            extra="gpu",
            lowerings=(Lowering.PLUGIN, Lowering.PORTABLE),
            graph_precisions=_TENSORRT_PRECISIONS,
            int8=Int8Use(rest=Precision.FP16),
            builder_options=(*_TENSORRT_OPTIONS, BuilderOption.TIMING_CACHE),
            implementation="segpp_deploy.runtimes.tensorrt.target:TensorRtTarget",
        ),
        TargetInfo(
            TargetName.TENSORRT_RTX,
            description="NVIDIA RTX desktops; builds without a GPU",
            runtime="TensorRT-RTX",
            module="tensorrt_rtx",
            extra="rtx",
            graph_precisions=_TENSORRT_PRECISIONS,
            int8=Int8Use(rest=Precision.FP16),
            builder_options=(*_TENSORRT_OPTIONS, BuilderOption.COMPUTE_CAPABILITY),
            implementation="segpp_deploy.runtimes.tensorrt.rtx:TensorRtRtxTarget",
        ),
    )
}

_GPU_TARGETS = (TargetName.TENSORRT, TargetName.TENSORRT_RTX, TargetName.CUDA)


@dataclass(frozen=True)
class RuntimeFacts:
    """The runtime that is installed here, or that an engine needs; None and () where a field does not apply.

    Args:
        name: e.g. "onnxruntime".
        version: its version.
        cuda: the CUDA version it was made for.
        driver: the CUDA version of the GPU's driver; recorded, but another one is no obstacle.
        compute_capabilities: of the GPUs an engine is for, e.g. ("8.9",); of the GPU that is here.
        plugin_sha256: hash of the plugin library.
    """

    name: str
    version: str
    cuda: str | None = None
    driver: str | None = None
    compute_capabilities: tuple[str, ...] = ()
    plugin_sha256: str | None = None


@dataclass(frozen=True)
class EngineSettings:
    """What decides how an engine computes.

    Args:
        precision: number format of the heavy layers.
        threads: CPU threads; None = one per physical core of the machine it runs on.
        builder: what the builder is asked for.
    """

    precision: Precision = Precision.FP32
    threads: int | None = None
    builder: BuilderSettings = field(default_factory=BuilderSettings)


@dataclass(frozen=True)
class BuiltEngine:
    """What came of a build.

    Args:
        runtime: what the engine needs.
        settings: what it was built with.
        layer_types: of compiled engines: how many layers of each heavy kind compute in each number format, as read
            back from the network, e.g. {"convolution": {"fp32": 43}}.
    """

    runtime: RuntimeFacts
    settings: EngineSettings
    layer_types: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Target(Protocol):
    """Builds engine files for one runtime. Making one raises `SegppError` where its runtime is missing."""

    def runtime_facts(self) -> RuntimeFacts:
        """Return the facts of the installed runtime and of the GPU it would use."""

    def require_device(self) -> None:
        """Make sure that engines can run here, not only be built.

        Raises:
            SegppError: the device is missing.
        """

    def usable_precisions(self) -> tuple[Precision, ...]:
        """Return the precisions this machine can compute engines in."""

    def build(self, graph: GraphFile, output: Path, settings: EngineSettings, report: ReportFraction) -> BuiltEngine:
        """Write the engine file `output`.

        Raises:
            SegppError: the runtime rejects the graph or the settings.
            KeyboardInterrupt: Ctrl-C.
        """

    def try_run(self, engine: Path, built: BuiltEngine, image: NDArray[Any]) -> NDArray[Any] | None:
        """Load an engine file, run it once and return its output; None if it was built for another machine.

        Raises:
            SegppError: the runtime cannot load or run the file.
        """


def import_runtime(info: TargetInfo) -> ModuleType:
    """Import the Python module of a target's runtime.

    Raises:
        SegppError: it is missing or broken; the message holds the install command.
    """
    try:
        return importlib.import_module(info.module)
    except (ImportError, OSError) as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == info.module
        what = "is not installed" if missing else f"cannot be loaded: {error}"
        raise SegppError(
            f"{info.runtime} (Python module {info.module}) {what}.",
            f"a working {info.runtime}, which the target {info.name} needs.",
            info.install_command,
        ) from error


def open_target(name: TargetName) -> Target:
    """Return the implementation of a target (not AUTO).

    Raises:
        SegppError: its runtime is missing.
    """
    module, _, implementation = TARGETS[name].implementation.partition(":")
    target: Target = getattr(importlib.import_module(module), implementation)()
    return target


def resolve_auto(name: TargetName) -> TargetName:
    """Return `name`, or for AUTO the fastest target that works here: with a GPU one of `_GPU_TARGETS`, else cpu."""
    if name is not TargetName.AUTO:
        return name
    for candidate in _GPU_TARGETS if has_nvidia_gpu() else ():
        try:
            open_target(candidate).require_device()
        except SegppError:
            continue
        return candidate
    return TargetName.CPU
