"""A small exported model, and ranges for it that no picture was needed for."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir
import pytest

from segpp_deploy.config import CalibrationMethod, Lowering, Preset, Size
from segpp_deploy.graph.graph_file import GraphFile, read_graph
from segpp_deploy.graph.precision.observe import find_observed
from segpp_deploy.graph.precision.ranges import (
    SCHEMA_VERSION,
    CalibrationImages,
    CalibrationRanges,
    TensorRange,
    fingerprint_model,
)
from segpp_deploy.model.weights.source import SeedSource
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export

SmallGraphs = Callable[[Lowering], GraphFile]
RANGE = 8.0


@pytest.fixture(scope="session")
def small_graph(tmp_path_factory: pytest.TempPathFactory) -> SmallGraphs:
    """small_graph(lowering) -> B0 in mode fast with random weights, 96x128; exported once."""
    folder, graphs = tmp_path_factory.mktemp("small"), {}

    def get(lowering: Lowering = Lowering.PORTABLE) -> GraphFile:
        if lowering not in graphs:
            path = folder / f"{lowering}.onnx"
            options = ExportOptions(path, SeedSource(0), mode=str(Preset.FAST), size=Size(96, 128), lowering=lowering)
            graphs[lowering] = read_graph(run_export(options).path)
        return graphs[lowering]

    return get


def ranges_of(graph: GraphFile, **max_abs: float) -> CalibrationRanges:
    """Return a range for every tensor of a portable graph; `max_abs` names tensors in which larger values were seen."""
    model = ir.from_proto(graph.model)
    observed = find_observed(model)
    tensors = {
        name: TensorRange(amax=RANGE if name in observed.of_layers else None, max_abs=max_abs.get(name, RANGE))
        for name in observed.source_of
    }
    return CalibrationRanges(
        schema_version=SCHEMA_VERSION,
        model=fingerprint_model(model, graph.metadata),
        arch=graph.metadata.arch,
        mode=graph.metadata.mode,
        size=graph.metadata.size.hw,
        method=CalibrationMethod.MAX,
        images=CalibrationImages(count=20, sha256="0" * 64),
        data="directory",
        tool_version="0.0.0",
        tensors=tensors,
    )
