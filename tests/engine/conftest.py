from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from segpp_deploy.config import Precision
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.result import BuildResult
from segpp_deploy.workflows.build_engine.run import run_build
from tests.support.tiny_graphs import write_tiny

Build = Callable[..., Path]


@pytest.fixture
def built(tmp_path: Path) -> BuildResult:
    """A tiny engine for the CPU."""
    source = write_tiny(tmp_path / "tiny.onnx")
    return run_build(source, tmp_path / "tiny.engine", BuildOptions(TargetName.CPU))


@pytest.fixture
def build_tiny(tmp_path: Path) -> Build:
    """Build a tiny engine: build_tiny(target, metadata=None, precision=None) -> path."""

    def build(target: TargetName, metadata: ExportMetadata | None = None, precision: Precision | None = None) -> Path:
        source = write_tiny(tmp_path / f"{target}.onnx", metadata)
        return run_build(source, tmp_path / f"{target}.engine", BuildOptions(target, precision)).path

    return build
