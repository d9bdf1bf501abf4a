"""Target `tensorrt`: TensorRT 10.3 to 11 on the GPU that the engine is built on."""

from __future__ import annotations

from dataclasses import replace

from segpp_deploy.config import Lowering, Precision
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.hardware.nvidia_gpu import NvidiaGpu, find_gpu, require_gpu
from segpp_deploy.plugin_library.library import find_plugin_library
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.runtimes.target import CompiledEngine, EngineSettings, EngineSource, RuntimeFacts
from segpp_deploy.runtimes.tensorrt.api import import_tensorrt
from segpp_deploy.runtimes.tensorrt.builder import BuildJob, build_plan
from segpp_deploy.runtimes.tensorrt.plugins import load_plugins, plugin_hash
from segpp_deploy.runtimes.tensorrt.session import TensorRtSession


class TensorRtTarget:
    """Builds and runs on the GPU that is here; TensorRT's engines fit no other."""

    name = TargetName.TENSORRT

    def __init__(self) -> None:
        self._trt = import_tensorrt(self.name)
        self._gpu = find_gpu()

    def runtime_facts(self) -> RuntimeFacts:
        """Return the facts of the installed runtime, the GPU, and the plugin library."""
        return RuntimeFacts(
            self._trt.info.module,
            self._trt.version,
            cuda=self._trt.cuda,
            driver=self._gpu.driver_cuda if self._gpu else None,
            compute_capabilities=(self._gpu.compute_capability,) if self._gpu else (),
            plugin_sha256=plugin_hash(self._trt),
        )

    def require_device(self) -> None:
        """Make sure that there is a GPU."""
        require_gpu()

    def require_plugins(self) -> None:
        """Make sure that the plugins were built."""
        find_plugin_library()

    def usable_precisions(self) -> tuple[Precision, ...]:
        """Return the precisions of the graphs it builds."""
        return self._trt.info.precisions

    def compile(self, graph: GraphFile, settings: EngineSettings, progress: Progress) -> CompiledEngine:
        """Return the engine for the chosen GPUs."""
        from segpp_deploy.graph.rewrites.tensorrt import rewrite_for_tensorrt  # slow to load; only building needs it

        graph = replace(graph, model=rewrite_for_tensorrt(graph.model))
        needed = self._choose_capabilities(settings, self._gpu)
        needs_plugins = graph.metadata.lowering is Lowering.PLUGIN
        if needs_plugins:
            load_plugins(self._trt, needed[0])
        plan, types = build_plan(BuildJob(self._trt, graph, settings, self._settable(needed)), progress)
        facts = self.runtime_facts()
        plugin_sha256 = facts.plugin_sha256 if needs_plugins else None
        facts = replace(facts, compute_capabilities=needed, plugin_sha256=plugin_sha256)
        return CompiledEngine(plan, facts, settings, types)

    def can_run(self, compiled: CompiledEngine) -> bool:
        """Whether a GPU that the engine was compiled for is here."""
        return self._gpu is not None and self._gpu.compute_capability in compiled.runtime.compute_capabilities

    def load(
        self, source: EngineSource, metadata: ExportMetadata, settings: EngineSettings, options: SessionOptions
    ) -> TensorRtSession:
        """Load an engine; see `Target.load`. The engine holds its settings."""
        return TensorRtSession(source, metadata, options, self._trt)

    def _choose_capabilities(self, settings: EngineSettings, gpu: NvidiaGpu | None) -> tuple[str, ...]:
        return ((gpu or require_gpu()).compute_capability,)

    def _settable(self, needed: tuple[str, ...]) -> tuple[str, ...]:
        """Return what the builder has to be told."""
        return ()
