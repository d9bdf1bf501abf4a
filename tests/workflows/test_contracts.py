"""What a file takes and gives, from the export to the session, on every runtime that is here."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from segpp_deploy.config import InputKind, LabelsLayout, Lowering, OutputForm, OutputKind
from segpp_deploy.data.geometry.whole import prepare
from segpp_deploy.engine.open import open_session
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.graph.contract import TensorSpec, output_spec
from segpp_deploy.graph.graph_file import read_graph
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from tests.support.exporting import smooth_pictures, to_bytes
from tests.support.requirements import needs
from tests.support.stub_exports import MeanColours, export_stub
from tests.support.tiny_graphs import SIZE, tiny_metadata

PICTURES = to_bytes(smooth_pictures(SIZE, 2))
NHWC = OutputForm(layout=LabelsLayout.NHWC)
CONTRACTS = {
    "uint8 with channel": replace(tiny_metadata(), output_form=NHWC),
    "DeepStream": replace(tiny_metadata(OutputKind.LABELS_INT32, InputKind.FLOAT255), output_form=OutputForm("mask")),
    "Isaac ROS": replace(tiny_metadata(OutputKind.LABELS_INT64, InputKind.FLOAT, batch=None), output_form=NHWC),
}
any_contract = pytest.mark.parametrize("metadata", CONTRACTS.values(), ids=CONTRACTS)


def upsampled_logits(metadata: ExportMetadata, batch: int) -> NDArray[np.float64]:
    """[B, 3, H, W], computed from the bytes."""
    normalised = (PICTURES[:batch] - np.array(metadata.normalization.mean)) / np.array(metadata.normalization.std)
    height, width = SIZE.hw
    small = normalised.reshape(batch, height // 4, 4, width // 4, 4, 3).mean(axis=(2, 4)).transpose(0, 3, 1, 2)
    full = torch.nn.functional.interpolate(torch.from_numpy(small), SIZE.hw, mode="bilinear", align_corners=False)
    return MeanColours.contrast * full.numpy()


@pytest.mark.parametrize("target", [TargetName.CPU, TargetName.OPENVINO])
@any_contract
def test_what_sessions_give(metadata: ExportMetadata, target: TargetName, tmp_path: Path) -> None:
    batch = metadata.batch or 2
    logits = upsampled_logits(metadata, batch)
    images = [prepare(picture, SIZE, metadata.input_kind, metadata.normalization) for picture in PICTURES[:batch]]
    graph = export_stub(tmp_path / "a.onnx", metadata)
    built = run_build(graph, tmp_path / "a.engine", BuildOptions(target))
    assert built.manifest.output == output_spec(metadata)
    with closing(open_session(built.path)) as session:
        labels = session.run(np.stack(images))
    assert output_spec(metadata).accepts(labels.dtype.name, labels.shape)
    assert (labels.reshape(batch, *SIZE.hw) == logits.argmax(axis=1)).mean() > 0.999
    with Predictor.open(built.path) as predictor:
        for picture, found in zip(PICTURES[:batch], labels, strict=True):
            (predicted,) = predictor.predict([picture])
            np.testing.assert_array_equal(predicted.labels, found.reshape(SIZE.hw))


@needs("tensorrt_rtx")
@any_contract
def test_builds_for_tensorrt_rtx(metadata: ExportMetadata, tmp_path: Path) -> None:
    graph = export_stub(tmp_path / "a.onnx", metadata)
    built = run_build(graph, tmp_path / "a.engine", BuildOptions(TargetName.TENSORRT_RTX))
    assert built.manifest.output == output_spec(metadata)


@any_contract
def test_a_cast_is_the_last_node_of_both_lowerings(metadata: ExportMetadata, tmp_path: Path) -> None:
    """TensorRT lets only a cast make a uint8 output, and takes none of a plugin."""
    for lowering in Lowering:
        graph = read_graph(export_stub(tmp_path / "a.onnx", replace(metadata, lowering=lowering))).model.graph
        (output,) = graph.output
        (maker,) = (node for node in graph.node if output.name in node.output)
        assert maker.op_type == "Cast"
        assert sum(node.op_type == "Cast" for node in graph.node) == 1 + (metadata.input_kind is InputKind.UINT8)


def test_contracts_are_as_the_stacks_want_them() -> None:
    assert output_spec(CONTRACTS["Isaac ROS"]) == TensorSpec("labels", "int64", (None, 64, 96, 1))
    assert output_spec(CONTRACTS["DeepStream"]) == TensorSpec("mask", "int32", (1, 64, 96))
