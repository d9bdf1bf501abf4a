"""One small comparison, whose report several tests look at: weights of a seed, graphs of a few nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from segpp_deploy.config import Precision
from segpp_deploy.data.datasets import AnyDataset
from segpp_deploy.data.scenes import SCENE_CLASSES
from segpp_deploy.model.weights.source import SeedSource
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.search import workbench
from segpp_deploy.workflows.compare.options import CompareOptions
from segpp_deploy.workflows.compare.run import run_compare
from tests.support import tiny_graphs
from tests.support.sharing import make_once
from tests.support.small_scenes import write_scenes

SOURCE = SeedSource(3, num_outputs=len(SCENE_CLASSES))
MODES = ("original", "fast", "2x2")
PICTURES = 5


@pytest.fixture(autouse=True)
def quick_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Candidates are graphs of a few nodes."""
    monkeypatch.setattr(workbench, "GraphAssembler", tiny_graphs.TinyAssembler)


@pytest.fixture(scope="session")
def data(shared_folder: Path) -> str:
    """A few scenes of the graphs' size."""
    return make_once(shared_folder / "compared scenes", lambda folder: write_scenes(folder, PICTURES, tiny_graphs.SIZE))


@pytest.fixture(scope="session")
def report(shared_folder: Path, data: str) -> Path:
    """The directory of a report; one for all workers of this run."""

    def compare(folder: Path) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(workbench, "GraphAssembler", tiny_graphs.TinyAssembler)
            run_compare(options(data, folder))
        return folder

    return make_once(shared_folder / "compared", compare)


def options(data: str | AnyDataset, out: Path, **changes: object) -> CompareOptions:
    """Return a comparison of three modes, of which one target and one precision cannot be."""
    values: dict[str, object] = {
        "modes": MODES,
        "sizes": (tiny_graphs.SIZE,),
        "targets": (TargetName.CPU, TargetName.CUDA),
        "precisions": (Precision.FP32, Precision.BF16),
        "iterations": 2,
    }
    return CompareOptions((SOURCE,), data, out, **{**values, **changes})  # type: ignore[arg-type]
