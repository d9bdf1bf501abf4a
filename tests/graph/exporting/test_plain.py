"""The plain export beside Hugging Face's own: the same function of the same weights, and the same heavy operations."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

from segpp_deploy.config import InputKind, OutputKind, Preset, Size
from segpp_deploy.graph.exporting.export import describe_graph
from segpp_deploy.graph.exporting.plain import PLAIN, PlainSegFormer, export_plain, trace_plain
from segpp_deploy.graph.graph_file import read_graph
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.graph.rewrites.onnxruntime import rewrite_for_onnxruntime
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.model.weights.checkpoint import load_checkpoint
from tests.model.closeness import relative_error
from tests.support.exporting import PICTURE_TO_LABELS, request, run_onnxruntime, smooth_pictures
from tests.support.random_models import random_model, randomise
from tests.support.requirements import require

SIZE = Size(64, 96)
HEAVY = ("Conv", "MatMul", "Gemm", "Softmax", "LayerNormalization", "Resize", "Gelu", "Transpose", "Concat")
TOLERANCE = 1e-4


class LogitsOf(nn.Module):
    """Hugging Face's model with nothing but its logits."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(image, return_dict=False)[0]
        return logits


@pytest.fixture(scope="module")
def theirs() -> Any:
    """Hugging Face's B0."""
    transformers = require("transformers")
    torch.manual_seed(0)
    model = transformers.SegformerForSemanticSegmentation(transformers.SegformerConfig(num_labels=5)).eval()
    randomise(model)
    return model


@pytest.fixture(scope="module")
def ours(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> SegFormer:
    """The same weights as we load them."""
    folder = tmp_path_factory.mktemp("hub")
    theirs.save_pretrained(folder)
    return load_checkpoint(folder).model


@pytest.fixture(scope="module")
def exported(ours: SegFormer) -> ExportMetadata:
    """What an export of them in another mode says of itself."""
    return describe_graph(ours.spec, PRESETS[Preset.FAST], request(SIZE, 5, **PICTURE_TO_LABELS))


@pytest.fixture(scope="module")
def plain(ours: SegFormer, exported: ExportMetadata, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their plain export."""
    path = tmp_path_factory.mktemp("plain") / "plain.onnx"
    export_plain(ours, exported, path)
    return path


def operations(model: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in model.graph)


def test_it_is_the_graph_that_hugging_faces_model_exports_to(plain: Path, theirs: Any, tmp_path: Path) -> None:
    reference = trace_plain(LogitsOf(theirs), (1, 3, *SIZE.hw))
    found, expected = operations(ir.load(plain)), operations(reference)
    assert {kind: found[kind] for kind in HEAVY} == {kind: expected[kind] for kind in HEAVY}
    assert found["Conv"] > 0
    assert found["Resize"] > 0
    assert abs(found.total() - expected.total()) < 0.05 * expected.total()
    images = smooth_pictures(SIZE).numpy()
    ir.save(reference, tmp_path / "reference.onnx")
    outputs = (torch.from_numpy(run_onnxruntime(path, images)) for path in (plain, tmp_path / "reference.onnx"))
    assert relative_error(*outputs) < TOLERANCE


@pytest.mark.parametrize("dialect", [Dialect.HUGGING_FACE, Dialect.MMSEG])
def test_it_computes_what_the_model_does(dialect: Dialect) -> None:
    model, images = random_model(dialect), smooth_pictures(SIZE, batch=2)
    with torch.no_grad():
        assert relative_error(PlainSegFormer(model)(images), model(images)) < TOLERANCE


def test_the_file_is_one_of_ours_and_no_engine_changes_it(
    plain: Path, ours: SegFormer, exported: ExportMetadata
) -> None:
    graph = read_graph(plain)
    metadata = graph.metadata
    assert (metadata.mode, metadata.size) == (PLAIN, SIZE)
    assert (metadata.input_kind, metadata.output_kind) == (InputKind.FLOAT, OutputKind.LOGITS)
    assert metadata.checkpoint == exported.checkpoint
    assert all(stage.q_after == stage.grid[0] * stage.grid[1] for stage in metadata.tokens)
    assert rewrite_for_onnxruntime(graph.model) is graph.model
    images = smooth_pictures(SIZE)
    ours.plan = metadata.plan
    with torch.no_grad():
        expected = ours(images).numpy()
    found = run_onnxruntime(graph.path, images.numpy())
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())
