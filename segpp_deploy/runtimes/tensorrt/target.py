"""Target `tensorrt`: TensorRT 10.3 to 11 on the GPU that the engine is built on."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segpp_deploy.config import Lowering, Precision
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.hardware.nvidia_gpu import NvidiaGpu, find_gpu, require_gpu
from segpp_deploy.runtimes.target import BuiltEngine, EngineSettings, ReportFraction, RuntimeFacts, TargetName
from segpp_deploy.runtimes.tensorrt.api import import_tensorrt
from segpp_deploy.runtimes.tensorrt.builder import BuildJob, build_plan
from segpp_deploy.runtimes.tensorrt.loader import load_engine
from segpp_deploy.runtimes.tensorrt.plugins import load_plugins, plugin_hash
from segpp_deploy.runtimes.tensorrt.runner import EngineRunner


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

    def usable_precisions(self) -> tuple[Precision, ...]:
        """Return the precisions of the graphs it builds."""
        return self._trt.info.precisions

    def build(self, graph: GraphFile, output: Path, settings: EngineSettings, report: ReportFraction) -> BuiltEngine:
        """Write the engine file."""
        needed = self._choose_capabilities(settings, self._gpu)
        needs_plugins = graph.metadata.lowering is Lowering.PLUGIN
        if needs_plugins:
            load_plugins(self._trt, needed[0])
        types = build_plan(BuildJob(self._trt, graph, settings, self._settable(needed)), output, report)
        facts = self.runtime_facts()
        plugin_sha256 = facts.plugin_sha256 if needs_plugins else None
        return BuiltEngine(
            replace(facts, compute_capabilities=needed, plugin_sha256=plugin_sha256), settings, layer_types=types
        )

    def try_run(self, engine: Path, built: BuiltEngine, image: NDArray[Any]) -> NDArray[Any] | None:
        """Load and run an engine file once, where a GPU it was built for is here."""
        if self._gpu is None or self._gpu.compute_capability not in built.runtime.compute_capabilities:
            return None
        loaded = load_engine(self._trt, engine, needs_plugins=built.runtime.plugin_sha256 is not None)
        with closing(EngineRunner(self._trt, loaded)) as runner:
            return runner.run(image)

    def _choose_capabilities(self, settings: EngineSettings, gpu: NvidiaGpu | None) -> tuple[str, ...]:
        return ((gpu or require_gpu()).compute_capability,)

    def _settable(self, needed: tuple[str, ...]) -> tuple[str, ...]:
        """Return what the builder has to be told."""
        return ()
