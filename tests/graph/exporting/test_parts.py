"""Assembled graphs: the nodes and the numbers of an export, and nothing is traced twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from segpp_deploy.config import LabelsLayout, Lowering, OutputForm, Preset, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.contract import output_specs
from segpp_deploy.graph.exporting import parts as parts_module
from segpp_deploy.graph.exporting.export import build_graph
from segpp_deploy.graph.exporting.parts import GraphAssembler
from segpp_deploy.graph.exporting.tracing import trace_module
from segpp_deploy.graph.graph_file import graph_tensor
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.plan import PRESETS, MergePlan, N2d, StageSpec
from tests.support.exporting import PICTURE_TO_LABELS, RAGGED, request, smooth_pictures, to_bytes
from tests.support.random_models import random_model

PLAN = PRESETS[Preset.FAST_PLUS]
OTHER_END = MergePlan("other end", (*PLAN.stages[:3], StageSpec(q=N2d((2, 2)))))


def run(model: onnx.ModelProto, image: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})[0]


@pytest.mark.slow
def test_assembled_graphs_are_exports_by_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    traced: list[str] = []

    def trace(module, examples, outputs):
        traced.extend(outputs)
        return trace_module(module, examples, outputs)

    monkeypatch.setattr(parts_module, "trace_module", trace)
    model = random_model(Dialect.MMSEG)
    model.plan = PLAN
    form = OutputForm("mask", LabelsLayout.NHWC)
    options = request(RAGGED, model.spec.num_outputs, **PICTURE_TO_LABELS, output_form=form)
    graph, metadata = build_graph(model, options)
    exported = ir.to_proto(graph)

    assembler = GraphAssembler(model, options, kept_bytes=1 << 30)
    assembled = assembler.assemble(PLAN, RAGGED, Lowering.PORTABLE)
    onnx.checker.check_model(assembled.model, full_check=True)
    assert assembled.metadata == metadata
    assert [one.op_type for one in assembled.model.graph.node] == [one.op_type for one in exported.graph.node]
    assert [graph_tensor(value) for value in assembled.model.graph.output] == list(output_specs(metadata))
    image = to_bytes(smooth_pictures(RAGGED))
    np.testing.assert_array_equal(run(assembled.model, image), run(exported, image))

    assert traced == ["stage 1", "stage 2", "stage 3", "stage 4", "labels"]
    other = assembler.assemble(OTHER_END, RAGGED, Lowering.PORTABLE)
    assert traced[5:] == ["stage 4"]
    assert other.metadata == replace(metadata, plan=OTHER_END, tokens=other.metadata.tokens)
    assert run(other.model, image).shape == (1, *RAGGED.hw, 1)


def test_a_size_that_is_too_small_is_refused_before_anything_is_traced() -> None:
    model = random_model(Dialect.MMSEG)
    assembler = GraphAssembler(model, request(RAGGED, model.spec.num_outputs), kept_bytes=0)
    with pytest.raises(SegppError, match="too small"):
        assembler.assemble(PRESETS[Preset.DOWNSAMPLE], Size(32, 32), Lowering.PORTABLE)
