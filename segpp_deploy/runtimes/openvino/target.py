"""Target `openvino`: OpenVINO on x86 and Arm CPUs."""

from __future__ import annotations

from segpp_deploy.config import Precision
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.hardware.cpu import is_avx2_widest
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.onnx_engine import serialize_onnx
from segpp_deploy.runtimes.openvino.info import OPENVINO
from segpp_deploy.runtimes.openvino.loader import openvino_facts, supports_bf16
from segpp_deploy.runtimes.openvino.session import OpenVinoSession
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.runtimes.target import CompiledEngine, EngineSettings, EngineSource, RuntimeFacts


class OpenVinoTarget:
    """Makes ONNX, which OpenVINO reads as fast as its own two-file format (B0: 35 ms against 29 ms)."""

    def __init__(self) -> None:
        self._facts = openvino_facts()

    def runtime_facts(self) -> RuntimeFacts:
        """Return the installed runtime's facts."""
        return self._facts

    def usable_precisions(self) -> tuple[Precision, ...]:
        """Return the precisions this machine can compute engines in; bf16 only where the CPU has it."""
        return tuple(p for p in OPENVINO.precisions if p is not Precision.BF16 or supports_bf16())

    def require_device(self) -> None:
        """Do nothing: what can build can run."""

    def compile(self, graph: GraphFile, settings: EngineSettings, progress: Progress) -> CompiledEngine:
        """Return the graph in OpenVINO's form."""
        from segpp_deploy.graph.rewrites.openvino import rewrite_for_openvino  # slow to load; only building needs it

        model = rewrite_for_openvino(graph.model, settings.precision, joins_depthwise=is_avx2_widest())
        return CompiledEngine(serialize_onnx(model), self._facts, settings)

    def can_run(self, compiled: CompiledEngine) -> bool:
        """Return True: where the CPU lacks a precision, loading says so."""
        return True

    def load(
        self, source: EngineSource, metadata: ExportMetadata, settings: EngineSettings, options: SessionOptions
    ) -> OpenVinoSession:
        """Load an engine; see `Target.load`."""
        return OpenVinoSession(source, metadata, settings, options)
