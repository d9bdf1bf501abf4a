"""The rewrite for ONNX Runtime changes the form of the label tail and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from segpp_deploy.config import Preset
from segpp_deploy.graph.rewrites.onnxruntime import rewrite_for_onnxruntime
from segpp_deploy.model.dialects import Dialect
from tests.support.exporting import (
    PICTURE_TO_LABELS,
    RAGGED,
    export,
    export_logits,
    run_onnxruntime,
    smooth_pictures,
    to_bytes,
)
from tests.support.random_models import random_model
from tests.support.stub_exports import export_stub
from tests.support.tiny_graphs import tiny_metadata


@pytest.mark.parametrize("batch", [1, None], ids=["static", "dynamic"])
def test_labels_stay_the_same(batch: int | None, tmp_path: Path) -> None:
    """What makes labels of any batch is the same behind a network that is quickly traced."""
    path = tmp_path / "m.onnx"
    if batch is None:
        export_stub(path, tiny_metadata(batch=None, size=RAGGED))
    else:
        export(random_model(Dialect.MMSEG), Preset.ORIGINAL, path, RAGGED, **PICTURE_TO_LABELS)
    assert "TopK" in {node.op_type for node in onnx.load(path).graph.node}
    rewritten = rewrite_for_onnxruntime(onnx.load(path))
    onnx.checker.check_model(rewritten, full_check=True)
    assert "TopK" not in {node.op_type for node in rewritten.graph.node}
    assert [entry.key for entry in rewritten.metadata_props] == [entry.key for entry in onnx.load(path).metadata_props]
    onnx.save(rewritten, tmp_path / "rewritten.onnx")
    pictures = to_bytes(smooth_pictures(RAGGED, batch or 2))
    found = run_onnxruntime(tmp_path / "rewritten.onnx", pictures)
    assert found.dtype == np.uint8
    assert (found == run_onnxruntime(path, pictures)).mean() >= 0.9999


def test_logits_graphs_stay_untouched(tmp_path: Path) -> None:
    model = onnx.load(export_logits(random_model(Dialect.MMSEG), Preset.ORIGINAL, tmp_path / "m.onnx"))
    assert rewrite_for_onnxruntime(model) is model
