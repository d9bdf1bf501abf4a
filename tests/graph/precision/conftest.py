"""Graphs to rewrite: every test gets its own copy, each is made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

from segpp_deploy.config import Lowering, Normalization, Preset
from segpp_deploy.graph.exporting.deployable import Deployable
from segpp_deploy.graph.exporting.lowering import lower_to_portable
from segpp_deploy.graph.rewrites.plugin import rewrite_for_plugins
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.folding import fold_model
from segpp_deploy.model.plan import PRESETS
from tests.support.exporting import PICTURE_TO_LABELS, RAGGED
from tests.support.random_models import random_model
from tests.support.traces import TraceStore

SIZE = RAGGED
GraphMaker = Callable[..., ir.Model]


@pytest.fixture(scope="session")
def make_graph(shared_folder: Path) -> GraphMaker:
    """make_graph(preset, lowering=PORTABLE) -> B0 with random weights, uint8 picture of `SIZE` to labels."""
    model = fold_model(random_model(Dialect.MMSEG))
    trace = TraceStore(shared_folder)
    made: dict[tuple[Preset, Lowering], onnx.ModelProto] = {}

    def make(preset: Preset, lowering: Lowering = Lowering.PORTABLE) -> ir.Model:
        if (preset, lowering) not in made:
            model.plan = PRESETS[preset]
            graph = trace(Deployable(model, normalization=Normalization(), **PICTURE_TO_LABELS), SIZE.hw, 1)
            graph = lower_to_portable(graph) if lowering is Lowering.PORTABLE else rewrite_for_plugins(graph)
            made[preset, lowering] = ir.to_proto(graph)
        return ir.from_proto(made[preset, lowering])

    return make
