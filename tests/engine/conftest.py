from __future__ import annotations

from pathlib import Path

import pytest

from segpp_deploy.engine.build import BuildOptions, BuildResult, build_engine
from segpp_deploy.runtimes.target import TargetName
from tests.support.tiny_graphs import write_tiny


@pytest.fixture
def built(tmp_path: Path) -> BuildResult:
    """A tiny engine for the CPU."""
    source = write_tiny(tmp_path / "tiny.onnx")
    return build_engine(source, tmp_path / "tiny.engine", BuildOptions(TargetName.CPU))
