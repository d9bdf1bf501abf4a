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
from segpp_deploy.graph.contract import TensorSpec, output_specs
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
    "bytes": replace(tiny_metadata(batch=None), output_form=replace(NHWC, confidence=True)),
    "DeepStream": replace(
        tiny_metadata(OutputKind.LABELS_INT32, InputKind.FLOAT255), output_form=OutputForm("mask", confidence=True)
    ),
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


def confidence_of(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """[B, K, H, W] -> [B, H, W]: 255 times the softmax of the class that is chosen."""
    exponentials = np.exp(logits)
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    chosen = logits.argmax(axis=1)[:, None]
    found: NDArray[np.float64] = np.rint(255 * np.take_along_axis(probabilities, chosen, axis=1))[:, 0]
    return found


@pytest.mark.parametrize("target", [TargetName.CPU, TargetName.OPENVINO])
@any_contract
def test_what_sessions_give(metadata: ExportMetadata, target: TargetName, tmp_path: Path) -> None:
    batch = metadata.batch or 2
    logits = upsampled_logits(metadata, batch)
    images = [prepare(picture, SIZE, metadata.input_kind, metadata.normalization) for picture in PICTURES[:batch]]
    graph = export_stub(tmp_path / "a.onnx", metadata)
    built = run_build(graph, tmp_path / "a.engine", BuildOptions(target))
    assert built.manifest.outputs == output_specs(metadata)
    with closing(open_session(built.path)) as session:
        outputs = session.run_all(np.stack(images))
        labels = session.run(np.stack(images))
    for output, spec in zip(outputs, output_specs(metadata), strict=True):
        assert spec.accepts(output.dtype.name, output.shape)
    np.testing.assert_array_equal(labels, outputs[0])
    assert (labels.reshape(batch, *SIZE.hw) == logits.argmax(axis=1)).mean() > 0.999
    for confidence in outputs[1:]:
        off = confidence.reshape(batch, *SIZE.hw).astype(int) - confidence_of(logits)
        assert np.abs(off).max() <= 1  # float32 beside float64, where a half is near
        assert (off != 0).mean() < 0.001
    with Predictor.open(built.path) as predictor:
        for picture, found in zip(PICTURES[:batch], labels, strict=True):
            (predicted,) = predictor.predict([picture])
            np.testing.assert_array_equal(predicted.labels, found.reshape(SIZE.hw))


@needs("tensorrt_rtx")
@any_contract
def test_builds_for_tensorrt_rtx(metadata: ExportMetadata, tmp_path: Path) -> None:
    graph = export_stub(tmp_path / "a.onnx", metadata)
    built = run_build(graph, tmp_path / "a.engine", BuildOptions(TargetName.TENSORRT_RTX))
    assert built.manifest.outputs == output_specs(metadata)


@any_contract
def test_a_cast_is_the_last_node_of_both_lowerings(metadata: ExportMetadata, tmp_path: Path) -> None:
    """TensorRT lets only a cast make a uint8 output, and takes none of a plugin."""
    for lowering in Lowering:
        graph = read_graph(export_stub(tmp_path / "a.onnx", replace(metadata, lowering=lowering))).model.graph
        for output in graph.output:
            (maker,) = (node for node in graph.node if output.name in node.output)
            assert maker.op_type == "Cast"
        casts = sum(node.op_type == "Cast" for node in graph.node)
        assert casts == len(graph.output) + (metadata.input_kind is InputKind.UINT8)


def test_contracts_are_as_the_stacks_want_them() -> None:
    assert output_specs(CONTRACTS["Isaac ROS"])[0] == TensorSpec("labels", "int64", (None, 64, 96, 1))
    assert output_specs(CONTRACTS["DeepStream"]) == (
        TensorSpec("mask", "int32", (1, 64, 96)),
        TensorSpec("confidence", "uint8", (1, 64, 96)),
    )
