"""Sizes of weighted keys as a channel: the same logits from a product without an addition, where it can be done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from segpp_deploy.config import Preset
from segpp_deploy.graph.precision.layers import are_scores
from segpp_deploy.graph.rewrites.onnxruntime import rewrite_for_onnxruntime
from segpp_deploy.graph.rewrites.size_channel import SizesAsChannel
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.plan import PRESETS, MergePlan, N2d, StageSpec
from tests.support.exporting import (
    PICTURE_TO_LABELS,
    RAGGED,
    Array,
    export,
    export_logits,
    run_onnxruntime,
    smooth_pictures,
    to_bytes,
)
from tests.support.random_models import keep_layers, random_model

POOLED = MergePlan("pooled", (StageSpec(kv=N2d((3, 4), weighted=True)), *[StageSpec()] * 3))


def additions(model: ir.Model) -> int:
    return sum(node.op_type == "Add" and are_scores(node.outputs[0]) for node in model.graph)


@pytest.mark.parametrize(
    ("plan", "layers", "batch"),
    [(PRESETS[Preset.HQ_PLUS], 4, 1), (PRESETS[Preset.FAST_PLUS], 4, 2), (POOLED, 2, 1), (POOLED, 2, 2)],
    ids=["matched-1", "matched-2", "pooled-1", "pooled-2"],
)
def test_the_same_logits(plan: MergePlan, layers: int, batch: int, tmp_path: Path) -> None:
    model, path = random_model(Dialect.MMSEG), tmp_path / "m.onnx"
    if plan is POOLED:
        model = keep_layers(model, (2, 1, 1, 1))
    if batch == 1:
        export_logits(model, plan, path)
        pictures: Array = to_bytes(smooth_pictures(RAGGED))
    else:
        export(model, plan, path, RAGGED, batch=batch)
        pictures = smooth_pictures(RAGGED, batch).numpy()
    before = onnx.load(path)
    model = ir.from_proto(before)
    assert additions(model) == layers
    is_constant_of_one_picture = plan is POOLED and batch == 2
    after = rewrite_for_onnxruntime(before)
    assert additions(ir.from_proto(after)) == (layers if is_constant_of_one_picture else 0)
    onnx.checker.check_model(after, full_check=True)
    onnx.save(after, tmp_path / "after.onnx")
    expected = run_onnxruntime(path, pictures)
    np.testing.assert_allclose(run_onnxruntime(tmp_path / "after.onnx", pictures), expected, atol=1e-4, rtol=5e-6)


def test_unweighted_scores_stay(tmp_path: Path) -> None:
    path = export(random_model(Dialect.MMSEG), Preset.HQ, tmp_path / "m.onnx", RAGGED, **PICTURE_TO_LABELS).path
    assert not SizesAsChannel()(ir.load(path)).modified
