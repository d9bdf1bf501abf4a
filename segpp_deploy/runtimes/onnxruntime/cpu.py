"""Target `cpu`: ONNX Runtime on any CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segpp_deploy.config import Precision
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.runtimes.onnx_engine import write_onnx_engine
from segpp_deploy.runtimes.onnxruntime.loader import (
    LoadOptions,
    Provider,
    load_onnxruntime,
    onnxruntime_facts,
    run_onnxruntime,
)
from segpp_deploy.runtimes.target import (
    TARGETS,
    BuiltEngine,
    EngineSettings,
    ReportFraction,
    RuntimeFacts,
    TargetName,
)


class CpuTarget:
    """Writes ONNX that ONNX Runtime optimises when it loads it."""

    name = TargetName.CPU
    provider = Provider.CPU

    def __init__(self) -> None:
        self._facts = onnxruntime_facts(TARGETS[self.name])

    def runtime_facts(self) -> RuntimeFacts:
        """Return the installed runtime's facts."""
        return self._facts

    def usable_precisions(self) -> tuple[Precision, ...]:
        """Return the precisions this machine can compute engines in."""
        return TARGETS[self.name].precisions

    def require_device(self) -> None:
        """Do nothing: what can build can run."""

    def build(self, graph: GraphFile, output: Path, settings: EngineSettings, report: ReportFraction) -> BuiltEngine:
        """Write the engine file."""
        from segpp_deploy.graph.rewrites.onnxruntime import to_onnxruntime_form  # slow to load; only building needs it

        write_onnx_engine(to_onnxruntime_form(graph.model), output)
        return BuiltEngine(self._facts, settings)

    def try_run(self, engine: Path, built: BuiltEngine, image: NDArray[Any]) -> NDArray[Any] | None:
        """Load and run an engine file once."""
        return run_onnxruntime(load_onnxruntime(engine, LoadOptions(self.provider, built.settings.threads)), image)
