"""The recorded ranges can be read, and belong to the shipped model."""

from __future__ import annotations

from pathlib import Path

import onnx_ir as ir
import pytest

from segpp_deploy.config import Preset
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.graph_file import read_graph
from segpp_deploy.graph.precision.ranges import check_ranges, format_ranges, read_ranges
from segpp_deploy.model.weights.cards import load_card, resolve_card_checkpoint
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from tests.support.exporting import SCENE_SIZE
from tests.support.requirements import skip_or_fail

CARD = "segformer_b0_scenes"
RECORDED = sorted((Path(__file__).parents[2] / "calibration").glob(f"{CARD}.*.yaml"))
MAX_BYTES = 20_000


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_recorded_ranges_are_as_written(path: Path) -> None:
    ranges = read_ranges(path)
    assert path.name == f"{CARD}.{ranges.mode}.yaml"
    assert ranges.mode in set(map(str, Preset))
    assert (ranges.data, ranges.size, ranges.images.count) == ("scenes#train", (512, 1024), 64)
    assert path.read_text() == format_ranges(ranges)
    assert path.stat().st_size <= MAX_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_recorded_ranges_fit_the_shipped_model(path: Path, tmp_path: Path) -> None:
    try:
        resolve_card_checkpoint(load_card(CARD))
    except SegppError as error:
        skip_or_fail("demo_model", f"the shipped model is not here: {error.what}")
    ranges = read_ranges(path).model_copy(update={"size": SCENE_SIZE.hw})  # names of tensors are the same at every size
    exported = run_export(ExportOptions(tmp_path / "model.onnx", CardSource(CARD), mode=ranges.mode, size=SCENE_SIZE))
    graph = read_graph(exported.path)
    assert check_ranges(ranges, ir.from_proto(graph.model), graph.metadata, path.name) == ()
