"""What every target declares and does: the facts of its runtime, compiling a graph, and loading what it compiled."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

from segpp_deploy.config import Choice, Lowering, Precision
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.hardware.devices import DeviceKind
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.builder_options import BuilderOption, BuilderOptions
from segpp_deploy.runtimes.names import TargetName

if TYPE_CHECKING:  # these load NumPy and ONNX, which take longer than all of this
    from segpp_deploy.graph.graph_file import GraphFile
    from segpp_deploy.graph.metadata import ExportMetadata
    from segpp_deploy.runtimes.session import ProfiledSession, SessionOptions

EngineSource = Path | bytes  # an engine file, or its content in memory


class Payload(Choice):
    """What an engine file holds, whatever it is called."""

    ONNX = "onnx"
    TENSORRT_PLAN = "tensorrt-plan"
    TENSORRT_RTX_PLAN = "tensorrt-rtx-plan"


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
        extra: the extra of segpp-deploy that installs the runtime; empty where segpp-deploy itself needs it.
        implementation: its `Target`, "module:class" below `segpp_deploy.runtimes`.
        payload: what its engine files hold; the tensors of ONNX can be looked at.
        lowerings: the graphs it takes, the preferred one first.
        graph_precisions: the precisions a graph may have.
        runtime_precisions: precisions to which the runtime itself can take a float32 graph.
        int8: what int8 covers; None where the target has none.
        builder_options: what its builder can be asked for.
        auto_ranks: how fast it is among the targets of a kind of device: AUTO takes the lowest rank that works.
        stand_in: the target on which graphs are measured before a precision is chosen, where it is not the target
            itself: its engines may be for a GPU that is not here.
    """

    name: TargetName
    description: str
    runtime: str
    module: str
    extra: str
    implementation: str
    payload: Payload
    lowerings: tuple[Lowering, ...] = (Lowering.PORTABLE,)
    graph_precisions: tuple[Precision, ...] = (Precision.FP32,)
    runtime_precisions: tuple[Precision, ...] = ()
    int8: Int8Use | None = None
    builder_options: tuple[BuilderOption, ...] = ()
    auto_ranks: Mapping[DeviceKind, int] = field(default_factory=dict)
    stand_in: TargetName | None = None

    @property
    def install_command(self) -> str:
        """The command that installs the runtime."""
        return f"pip install 'segpp-deploy[{self.extra}]'" if self.extra else "pip install segpp-deploy"

    @property
    def builds_elsewhere(self) -> bool:
        """Whether it builds for devices that are not here."""
        return BuilderOption.COMPUTE_CAPABILITY in self.builder_options

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """Every precision an engine may have."""
        return tuple(dict.fromkeys((*self.graph_precisions, *self.runtime_precisions)))


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
    builder: BuilderOptions = field(default_factory=BuilderOptions)


@dataclass(frozen=True)
class CompiledEngine:
    """An engine in memory.

    Args:
        data: what the engine file will hold.
        runtime: what the engine needs.
        settings: what it was compiled with.
        layer_types: of compiled networks: how many layers of each heavy kind compute in each number format, as read
            back from the network, e.g. {"convolution": {"fp32": 43}}.
    """

    data: bytes = field(repr=False)
    runtime: RuntimeFacts
    settings: EngineSettings
    layer_types: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Target(Protocol):
    """Compiles and loads engines of one runtime. Making one raises `SegppError` where its runtime is missing."""

    def runtime_facts(self) -> RuntimeFacts:
        """Return the facts of the installed runtime and of the GPU it would use."""

    def require_device(self) -> None:
        """Make sure that engines can run here, not only be built.

        Raises:
            SegppError: the device is missing.
        """

    def usable_precisions(self) -> tuple[Precision, ...]:
        """Return the precisions this machine can compute engines in."""

    def compile(self, graph: GraphFile, settings: EngineSettings, progress: Progress) -> CompiledEngine:
        """Return the engine of a graph; no engine file is written.

        Raises:
            SegppError: the runtime rejects the graph or the settings.
            KeyboardInterrupt: Ctrl-C.
        """

    def can_run(self, compiled: CompiledEngine) -> bool:
        """Whether the engine can run on this machine; not where it was compiled for another GPU."""

    def load(
        self, source: EngineSource, metadata: ExportMetadata, settings: EngineSettings, options: SessionOptions
    ) -> ProfiledSession:
        """Load an engine.

        Args:
            source: the engine.
            metadata: of the graph it was compiled from.
            settings: what it was compiled with.
            options: how to open it.

        Raises:
            SegppError: the runtime cannot load it; the message names the file.
        """


class PluginTarget(Target, Protocol):
    """A target that has `Lowering.PLUGIN` among its lowerings."""

    def require_plugins(self) -> None:
        """Make sure that the custom nodes of plugin graphs can be computed here.

        Raises:
            SegppError: the library that computes them was not built; with the command that builds it.
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
        what = "is not installed" if missing else f"cannot be loaded: {one_line(error)}"
        raise SegppError(
            f"{info.runtime} (Python module {info.module}) {what}.",
            f"a working {info.runtime}, which the target {info.name} needs.",
            info.install_command,
        ) from error


def describe_source(source: EngineSource) -> str:
    """Return what messages call an engine.

    Example:
        >>> describe_source(Path("b0.engine")), describe_source(b"...")
        ('b0.engine', 'the graph')
    """
    return str(source) if isinstance(source, Path) else "the graph"
