"""Target `torch`: PyTorch itself, on the GPU it can use, else on the CPU."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from segpp_deploy.config import Lowering, Precision, TorchDevice
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.plugin_library.library import find_plugin_library
from segpp_deploy.plugin_library.sources import LibraryKind
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.onnx_engine import serialize_onnx
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.runtimes.target import CompiledEngine, EngineSettings, EngineSource, RuntimeFacts, import_runtime
from segpp_deploy.runtimes.torch.info import TORCH

if TYPE_CHECKING:  # it imports PyTorch, which may be what is missing
    from segpp_deploy.runtimes.torch.engine_session import TorchEngineSession

_NAMES = {TorchDevice.CPU: "torch", TorchDevice.CUDA: "torch-cuda"}


class TorchTarget:
    """Keeps the graph as ONNX, which it reads back as a PyTorch program when it loads it."""

    def __init__(self) -> None:
        self._torch = import_runtime(TORCH)
        from segpp_deploy.runtimes.torch import device

        self._here = device
        self._device = device.find_device()

    def runtime_facts(self) -> RuntimeFacts:
        """Return the facts of the installed PyTorch; its name says which device computes."""
        on_gpu = self._device is TorchDevice.CUDA
        return RuntimeFacts(
            _NAMES[self._device],
            str(self._torch.__version__).partition("+")[0],  # what follows names the build
            cuda=self._torch.version.cuda if on_gpu else None,
            plugin_sha256=_kernels_sha256() if on_gpu else None,
        )

    def require_device(self) -> None:
        """Make sure that no GPU is left idle by mistake."""
        self._here.require_no_idle_gpu()

    def require_plugins(self) -> None:
        """Make sure that the kernels for the GPU were built; on a CPU the reference computes the custom nodes."""
        if self._device is TorchDevice.CUDA:
            find_plugin_library(LibraryKind.KERNELS)

    def usable_precisions(self) -> tuple[Precision, ...]:
        """Return the precisions this machine can compute engines in."""
        return self._here.usable_precisions()

    def compile(self, graph: GraphFile, settings: EngineSettings, progress: Progress) -> CompiledEngine:
        """Return the graph with its weights, whole."""
        self._here.require_precision(settings.precision)
        needs_plugins = graph.metadata.lowering is Lowering.PLUGIN
        if needs_plugins:
            self.require_plugins()
        facts = self.runtime_facts()
        facts = replace(facts, plugin_sha256=facts.plugin_sha256 if needs_plugins else None)
        return CompiledEngine(serialize_onnx(graph.model), facts, settings)

    def can_run(self, compiled: CompiledEngine) -> bool:
        """Return True: what can build can run."""
        return True

    def load(
        self, source: EngineSource, metadata: ExportMetadata, settings: EngineSettings, options: SessionOptions
    ) -> TorchEngineSession:
        """Load an engine; see `Target.load`."""
        from segpp_deploy.runtimes.torch.engine_session import TorchEngineSession

        self._here.require_precision(settings.precision)
        return TorchEngineSession(source, metadata, settings, options, self._device)


def _kernels_sha256() -> str | None:
    try:
        return find_plugin_library(LibraryKind.KERNELS).record.sha256
    except SegppError:
        return None
