"""Target `cpu`: ONNX Runtime on any CPU."""

from __future__ import annotations

from segpp_deploy.config import Precision
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.onnx_engine import serialize_onnx
from segpp_deploy.runtimes.onnxruntime.info import CPU
from segpp_deploy.runtimes.onnxruntime.loader import LoadOptions, onnxruntime_facts
from segpp_deploy.runtimes.onnxruntime.session import OnnxRuntimeSession
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.runtimes.target import CompiledEngine, EngineSettings, EngineSource, RuntimeFacts


class CpuTarget:
    """Makes ONNX that ONNX Runtime optimises when it loads it."""

    info = CPU

    def __init__(self) -> None:
        self._facts = onnxruntime_facts(self.info)

    def runtime_facts(self) -> RuntimeFacts:
        """Return the installed runtime's facts."""
        return self._facts

    def usable_precisions(self) -> tuple[Precision, ...]:
        """Return the precisions this machine can compute engines in."""
        return self.info.precisions

    def require_device(self) -> None:
        """Do nothing: what can build can run."""

    def compile(self, graph: GraphFile, settings: EngineSettings, progress: Progress) -> CompiledEngine:
        """Return the graph in ONNX Runtime's form."""
        from segpp_deploy.graph.rewrites.onnxruntime import (
            rewrite_for_onnxruntime,  # slow to load; only building needs it
        )

        return CompiledEngine(serialize_onnx(rewrite_for_onnxruntime(graph.model)), self._facts, settings)

    def can_run(self, compiled: CompiledEngine) -> bool:
        """Return True: ONNX runs anywhere."""
        return True

    def load(
        self, source: EngineSource, metadata: ExportMetadata, settings: EngineSettings, options: SessionOptions
    ) -> OnnxRuntimeSession:
        """Load an engine; see `Target.load`."""
        load_options = LoadOptions(threads=options.threads or settings.threads)
        return OnnxRuntimeSession(source, metadata, load_options, options.profile)
