"""Decoding in the graph agrees with decoding outside of it, ties and borders included, on every runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.config import OutputKind, Precision, Size
from segpp_deploy.engine.open import open_session
from segpp_deploy.graph.contract import output_specs
from segpp_deploy.graph.exporting.keypoint_decoding import decode_keypoints
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.plan import PRESETS, Preset
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.runtimes.builder_options import BuilderOptions
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.tasks.pose.decoding import decode_heatmaps
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from tests.support.exporting import export, smooth_pictures
from tests.support.random_models import keep_layers, random_model
from tests.support.requirements import needs


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.tuples(st.integers(1, 7), st.integers(1, 7)), st.sampled_from([4, 8]))
def test_ties_and_borders(seed: int, grid: tuple[int, int], stride: int) -> None:
    heatmaps = np.random.default_rng(seed).integers(-3, 4, (2, 5, *grid)).astype(np.float32)
    found = decode_keypoints(torch.from_numpy(heatmaps), stride).numpy()
    for maps, rows in zip(heatmaps, found, strict=True):
        cells, scores = decode_heatmaps(maps)
        expected = np.where(scores[:, None] > 0, cells * stride, -1)
        np.testing.assert_array_equal(rows[:, :2], expected)
        np.testing.assert_array_equal(rows[:, 2], scores)


@pytest.fixture(scope="module")
def model() -> SegFormer:
    """A layer of each stage: this is about what comes after them."""
    return keep_layers(random_model(Dialect.MMPOSE, outputs=17), (1, 1, 1, 1))


@pytest.mark.parametrize("target", [TargetName.CPU, pytest.param(TargetName.OPENVINO, marks=needs("openvino"))])
def test_engines(target: TargetName, model: SegFormer, tmp_path: Path) -> None:
    size = Size(128, 96)
    exported = export(model, Preset.FAST, tmp_path / "pose.onnx", size, output_kind=OutputKind.KEYPOINTS)
    assert str(output_specs(exported.metadata)[0]) == "keypoints float32 [1, 17, 3]"
    picture = smooth_pictures(size)
    model.plan = PRESETS[Preset.FAST]
    with torch.inference_mode():
        heatmaps = model(picture)
    built = run_build(tmp_path / "pose.onnx", tmp_path / "pose.engine", BuildOptions(target))
    session = open_session(built.path, SessionOptions())
    (found,) = session.run(picture.numpy())
    session.close()
    expected = decode_keypoints(heatmaps, exported.metadata.output_stride)[0].numpy()
    np.testing.assert_allclose(found[:, 2], expected[:, 2], atol=1e-3)
    same = np.abs(found[:, :2] - expected[:, :2]).max(axis=1) <= 1e-4
    assert same.mean() > 0.8, "rounding moves a maximum only where two are nearly equal"


@needs("tensorrt_rtx")
@pytest.mark.parametrize("precision", [Precision.FP32, Precision.FP16])
def test_a_gpu_builder_takes_it(precision: Precision, model: SegFormer, tmp_path: Path) -> None:
    export(model, Preset.FAST, tmp_path / "pose.onnx", Size(128, 96), output_kind=OutputKind.KEYPOINTS)
    options = BuildOptions(TargetName.TENSORRT_RTX, precision, builder=BuilderOptions(compute_capabilities=("8.9",)))
    assert run_build(tmp_path / "pose.onnx", tmp_path / "pose.engine", options).manifest.precision is precision
