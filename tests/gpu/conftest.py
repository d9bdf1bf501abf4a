"""What only a GPU can show. Without one these tests skip, or fail with SEGPP_REQUIRE=gpu."""

from __future__ import annotations

from pathlib import Path

import pytest

from segpp_deploy.config import Arch, Lowering, OutputKind, Preset, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.model.weights.source import SeedSource
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from segpp_deploy.workflows.selftest.run import require_device
from tests.support.requirements import skip_or_fail

SIZE = Size(64, 128)


@pytest.fixture(scope="session", autouse=True)
def device() -> str:
    """The GPU, TensorRT and the plugin library, in words."""
    try:
        return require_device()
    except SegppError as error:
        skip_or_fail("gpu", str(error))


def make_engine(folder: Path, mode: Preset, batch: int | None) -> Path:
    """Export a B0 with random weights in the plugin lowering, with logits, and build its engine."""
    graph = run_export(
        ExportOptions(
            folder / "model.onnx",
            SeedSource(1, Arch.B0, num_outputs=5),
            mode=str(mode),
            size=SIZE,
            batch=batch,
            output_kind=OutputKind.LOGITS,
            lowering=Lowering.PLUGIN,
        )
    )
    return run_build(graph.path, folder / "model.engine", BuildOptions(target=TargetName.TENSORRT)).path


@pytest.fixture(scope="session")
def engine(device: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An engine with every kind of token plugin, batch 1."""
    return make_engine(tmp_path_factory.mktemp("static"), Preset.HQ_REUSE, 1)


@pytest.fixture(scope="session")
def dynamic_engine(device: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a dynamic batch."""
    return make_engine(tmp_path_factory.mktemp("dynamic"), Preset.HQ_REUSE, None)
