"""The recorded ranges can be read, and belong to the shipped model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx_ir as ir
import pytest

from segpp_deploy.config import Preset
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.exporting.export import build_graph
from segpp_deploy.graph.graph_file import GraphFile, read_graph
from segpp_deploy.graph.precision.ranges import check_ranges, fingerprint_model, format_ranges, read_ranges
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.weights.cards import load_card, resolve_card_checkpoint
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from tests.support.exporting import PICTURE_TO_LABELS, RAGGED, SCENE_SIZE, request
from tests.support.random_models import random_model
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


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> GraphFile:
    """The shipped model in one mode: what ranges know it by is the same in all."""
    try:
        resolve_card_checkpoint(load_card(CARD))
    except SegppError as error:
        skip_or_fail("demo_model", f"the shipped model is not here: {error.what}")
    path = tmp_path_factory.mktemp("shipped") / "fast.onnx"
    return read_graph(run_export(ExportOptions(path, CardSource(CARD), mode=str(Preset.FAST), size=SCENE_SIZE)).path)


@pytest.mark.slow
@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_recorded_ranges_fit_the_shipped_model(path: Path, shipped: GraphFile) -> None:
    ranges = read_ranges(path)
    metadata = replace(shipped.metadata, plan=PRESETS[Preset(ranges.mode)])
    assert ranges.model == fingerprint_model(ir.from_proto(shipped.model), metadata)


@pytest.mark.slow
@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_recorded_ranges_name_what_an_export_does(path: Path) -> None:
    """Names of tensors are the same at every size and for all weights: those of graphs that other tests look at."""
    model, ranges = random_model(Dialect.MMSEG), read_ranges(path)
    model.plan = PRESETS[Preset(ranges.mode)]
    graph, metadata = build_graph(model, request(RAGGED, model.spec.num_outputs, **PICTURE_TO_LABELS))
    ranges = ranges.model_copy(update={"size": RAGGED.hw, "model": fingerprint_model(graph, metadata)})
    assert check_ranges(ranges, graph, metadata, path.name) == ()
