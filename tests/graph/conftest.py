"""The demo model as a graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from segpp_deploy.config import Preset, Size
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from tests.support.requirements import skip_or_fail

SCENE_SIZE = Size(256, 512)


@pytest.fixture(scope="session")
def export_scenes_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Preset], Path]:
    """export_scenes_model(preset) -> the demo model's portable graph for pictures of `SCENE_SIZE`."""
    card = Path(__file__).parents[2] / "models/segformer_b0_scenes.yaml"
    if not card.exists():
        skip_or_fail("demo_model", f"{card} does not exist.")
    folder = tmp_path_factory.mktemp("scenes")

    def export(preset: Preset) -> Path:
        path = folder / f"{preset}.onnx"
        if not path.exists():
            run_export(ExportOptions(path, CardSource(str(card)), mode=str(preset), size=SCENE_SIZE))
        return path

    return export
