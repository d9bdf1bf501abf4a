"""Graphs to rewrite: every test gets its own copy, each mode is traced once."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import onnx_ir as ir
import pytest

from segpp_deploy.config import InputKind, Lowering, Normalization, OutputKind, Preset, Size
from segpp_deploy.graph.exporting.deployable import Deployable
from segpp_deploy.graph.exporting.lowering import lower_to_portable
from segpp_deploy.graph.exporting.tracing import trace
from segpp_deploy.graph.rewrites.plugin import rewrite_for_plugins
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.folding import fold_model
from segpp_deploy.model.plan import PRESETS
from tests.support.random_models import random_model

SIZE = Size(72, 104)
GraphMaker = Callable[..., ir.Model]


@pytest.fixture(scope="session")
def make_graph() -> GraphMaker:
    """make_graph(preset, lowering=PORTABLE) -> B0 with random weights, uint8 picture of `SIZE` to labels."""
    model = fold_model(random_model(Dialect.MMSEG))
    traced: dict[Preset, onnx.ModelProto] = {}

    def make(preset: Preset, lowering: Lowering = Lowering.PORTABLE) -> ir.Model:
        if preset not in traced:  # tracing takes seconds, what follows does not
            model.plan = PRESETS[preset]
            module = Deployable(model, InputKind.UINT8, OutputKind.LABELS, Normalization())
            traced[preset] = ir.to_proto(trace(module, SIZE.hw, 1))
        graph = ir.from_proto(traced[preset])
        return lower_to_portable(graph) if lowering is Lowering.PORTABLE else rewrite_for_plugins(graph)

    return make
