"""Exports that several tests look at: the demo model, and random weights with any batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from segpp_deploy.config import Preset
from segpp_deploy.graph.exporting.export import ExportedGraph
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.plan import MergePlan
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from tests.support.exporting import RAGGED, SCENE_SIZE, export
from tests.support.random_models import random_model
from tests.support.requirements import skip_or_fail
from tests.support.sharing import make_once

DynamicExport = Callable[[MergePlan], ExportedGraph]


@pytest.fixture(scope="session")
def export_scenes_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Preset], Path]:
    """export_scenes_model(preset) -> the demo model's portable graph for pictures of `SCENE_SIZE`."""
    card = Path(__file__).parents[2] / "models/segformer_b0_scenes.yaml"
    if not card.exists():
        skip_or_fail("demo_model", f"{card} does not exist.")
    folder = tmp_path_factory.mktemp("scenes")

    def export_scenes(preset: Preset) -> Path:
        path = folder / f"{preset}.onnx"
        if not path.exists():
            run_export(ExportOptions(path, CardSource(str(card)), mode=str(preset), size=SCENE_SIZE))
        return path

    return export_scenes


@pytest.fixture(scope="session")
def dynamic_export(shared_folder: Path) -> DynamicExport:
    """Export `random_model(Dialect.MMSEG)` under a plan: portable, logits, any batch; once for all workers."""

    def make(plan: MergePlan) -> ExportedGraph:
        def export_any(folder: Path) -> ExportedGraph:
            return export(random_model(Dialect.MMSEG), plan, folder / "m.onnx", RAGGED, batch=None)

        return make_once(shared_folder / f"any batch, {plan.name}", export_any)

    return make
