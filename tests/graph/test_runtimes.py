"""Portable graphs in other runtimes: they build in TensorRT-RTX, and agree in OpenVINO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from benchmarks.toolchain.rtx_builder import RtxRefusedError, build_with_rtx
from segpp_deploy.config import Arch, Lowering, Normalization, Precision, Preset, Size, TorchDevice
from segpp_deploy.graph.exporting.deployable import Deployable
from segpp_deploy.graph.precision.half import to_fp16
from segpp_deploy.model.arch import ARCH_SPECS
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.runtimes.torch.operators import ATTENTION
from segpp_deploy.runtimes.torch.program import TorchProgram
from tests.graph.conftest import DynamicExport
from tests.model.test_segformer import MIXED
from tests.support.exporting import (
    PICTURE_TO_LABELS,
    RAGGED,
    export,
    export_logits,
    run_onnxruntime,
    smooth_pictures,
    to_bytes,
)
from tests.support.random_models import keep_layers, random_model
from tests.support.requirements import needs, require

needs_rtx = needs("tensorrt_rtx")


@pytest.fixture(scope="module")
def model() -> SegFormer:
    return random_model(Dialect.MMSEG)


@needs_rtx
@pytest.mark.parametrize(
    "preset", [Preset.HQ, Preset.FAST_REUSE, Preset.FAST_PLUS, Preset.POOL_2X2, Preset.N1D, Preset.DOWNSAMPLE]
)
def test_builds_in_tensorrt_rtx(preset: Preset, model: SegFormer, tmp_path: Path) -> None:
    result = export(model, preset, tmp_path / "m.onnx", RAGGED, **PICTURE_TO_LABELS)
    assert build_with_rtx(result.path).engine_bytes > 1_000_000


@needs_rtx
def test_large_images_build_in_tensorrt_rtx(tmp_path: Path) -> None:
    """1024x2048 has 8192 tokens in stage 3: a sort of all of them would be refused (TopK k > 3840)."""
    model = keep_layers(random_model(Dialect.MMSEG), (1, 1, 1, 1))
    result = export(model, Preset.FAST, tmp_path / "m.onnx", Size(1024, 2048))
    assert build_with_rtx(result.path).engine_bytes > 1_000_000


@needs_rtx
def test_dynamic_batch_builds_in_tensorrt_rtx(dynamic_export: DynamicExport) -> None:
    result = dynamic_export(MIXED)
    assert build_with_rtx(result.path, batches=(1, 2, 4)).engine_bytes > 1_000_000


@pytest.mark.parametrize(
    "preset", [Preset.ORIGINAL, Preset.HQ_REUSE, Preset.FAST_REUSE, Preset.FAST_PLUS, Preset.POOL_2X2, Preset.N1D]
)
def test_agrees_in_openvino(preset: Preset, model: SegFormer, tmp_path: Path) -> None:
    openvino = require("openvino")
    path = export_logits(model, preset, tmp_path / "m.onnx")
    picture = to_bytes(smooth_pictures(RAGGED))
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_allclose(compiled([picture])[0], run_onnxruntime(path, picture), atol=1e-4)


def exact_program(graph: onnx.ModelProto) -> TorchProgram:
    return TorchProgram(graph, TorchDevice.CPU, Precision.FP32)


@pytest.mark.parametrize("lowering", Lowering)
@pytest.mark.parametrize("preset", [Preset.HQ_REUSE, Preset.FAST_PLUS, Preset.POOL_2X2, Preset.N1D])
def test_agrees_in_pytorch(preset: Preset, lowering: Lowering, model: SegFormer, tmp_path: Path) -> None:
    path = export_logits(model, preset, tmp_path / "m.onnx", lowering=lowering)
    picture = torch.from_numpy(to_bytes(smooth_pictures(RAGGED)))
    reference = Deployable(model, normalization=Normalization(), **PICTURE_TO_LABELS)
    program = exact_program(onnx.load(path))
    assert sum(step.operation == ATTENTION for step in program.steps) == sum(ARCH_SPECS[Arch.B0].depths)
    with torch.inference_mode():
        np.testing.assert_allclose(program.run(picture)[0], reference.logits(picture), atol=1e-4)


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.BF16])
@pytest.mark.parametrize("lowering", Lowering)
def test_types_fit_together_in_pytorch(
    lowering: Lowering, precision: Precision, model: SegFormer, tmp_path: Path
) -> None:
    exported = onnx.load(export(model, Preset.FAST_PLUS, tmp_path / "m.onnx", RAGGED, batch=2, lowering=lowering).path)
    in_half = ir.to_proto(to_fp16(ir.from_proto(exported)).model)
    pictures = smooth_pictures(RAGGED, 2)
    reduced = TorchProgram(in_half if precision is Precision.FP16 else exported, TorchDevice.CPU, precision)
    assert sum(step.operation == ATTENTION for step in reduced.steps) == sum(ARCH_SPECS[Arch.B0].depths)
    with torch.inference_mode():
        found, exact = (one.run(pictures)[0].argmax(1) for one in (reduced, exact_program(exported)))
    assert (found == exact).float().mean() > 0.97


def test_any_batch_in_pytorch(dynamic_export: DynamicExport) -> None:
    path = dynamic_export(MIXED).path
    program = exact_program(onnx.load(path))
    for batch in (1, 3):
        pictures = smooth_pictures(RAGGED, batch)
        with torch.inference_mode():
            found = program.run(pictures)[0].numpy()
        np.testing.assert_allclose(found, run_onnxruntime(path, pictures.numpy()), atol=1e-4)


@needs_rtx
def test_tensorrt_rtx_says_why_it_refuses(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"no graph")
    with pytest.raises(RtxRefusedError, match=r"."):
        build_with_rtx(tmp_path / "m.onnx")
