"""Graphs to rewrite: every test gets its own copy, each mode is traced once."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import onnx_ir as ir
import pytest
from exporting import request
from random_models import random_model

from segpp_deploy.config import InputKind, Lowering, OutputKind, Preset, Size
from segpp_deploy.graph.export import build_graph
from segpp_deploy.graph.lowering import lower_to_portable
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.plan import PRESETS

SIZE = Size(72, 104)
GraphMaker = Callable[..., ir.Model]


@pytest.fixture(scope="session")
def make_graph() -> GraphMaker:
    """make_graph(preset, lowering=PORTABLE) -> B0 with random weights, uint8 picture of `SIZE` to labels."""
    model = random_model(Dialect.MMSEG)
    traced: dict[Preset, onnx.ModelProto] = {}

    def make(preset: Preset, lowering: Lowering = Lowering.PORTABLE) -> ir.Model:
        if preset not in traced:
            model.plan = PRESETS[preset]
            ends = {"input_kind": InputKind.UINT8, "output_kind": OutputKind.LABELS}
            graph, _ = build_graph(model, request(SIZE, 5, lowering=Lowering.PLUGIN, **ends))
            traced[preset] = ir.to_proto(graph)
        copy = ir.from_proto(traced[preset])
        return lower_to_portable(copy) if lowering is Lowering.PORTABLE else copy

    return make
