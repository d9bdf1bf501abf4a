"""What the target `torch` refuses, and what its manifest says; a GPU is there in words only."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch

from segpp_deploy.config import Lowering, OutputKind, Precision, TorchDevice
from segpp_deploy.engine.open import open_session, verify_engine
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.contract import noise_images
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import open_target, open_with_plugins
from segpp_deploy.runtimes.target import Payload
from segpp_deploy.runtimes.torch import device, target
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.result import BuildResult
from segpp_deploy.workflows.build_engine.run import run_build
from tests.support.tiny_graphs import PLUGIN_BODY, tiny_metadata, with_precision, write_tiny


def build(folder: Path, precision: Precision | None = None) -> BuildResult:
    return run_build(write_tiny(folder / "a.onnx"), folder / "a.engine", BuildOptions(TargetName.TORCH, precision))


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch says that it can use a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    monkeypatch.setattr(torch.version, "cuda", "13.0")


def test_the_manifest_says_which_pytorch(tmp_path: Path) -> None:
    made = build(tmp_path)
    runtime = made.manifest.runtime
    assert (runtime.name, runtime.version, runtime.cuda) == ("torch", torch.__version__.partition("+")[0], None)
    assert made.manifest.payload is Payload.ONNX
    onnx.checker.check_model(onnx.load(str(made.path)))


def test_an_engine_is_for_the_kind_of_device_it_was_built_on(tmp_path: Path, gpu: None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        made = build(tmp_path)
    assert open_target(TargetName.TORCH).runtime_facts().cuda == "13.0"
    with pytest.raises(SegppError, match="another runtime: torch-cuda version torch "):
        verify_engine(made.path)


def test_a_gpu_that_pytorch_cannot_use_is_not_left_idle_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "has_nvidia_gpu", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    with pytest.raises(SegppError, match="cannot use this machine's NVIDIA GPU") as caught:
        open_target(TargetName.TORCH).require_device()
    assert "CUDA_VISIBLE_DEVICES=-1" in caught.value.fix
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    open_target(TargetName.TORCH).require_device()


@pytest.mark.parametrize("has_bf16", [True, False])
def test_precisions_of_a_cpu(monkeypatch: pytest.MonkeyPatch, has_bf16: bool) -> None:
    monkeypatch.setattr(device, "has_bfloat16_products", lambda: has_bf16)
    bf16 = (Precision.BF16,) if has_bf16 else ()
    assert open_target(TargetName.TORCH).usable_precisions() == (Precision.FP32, *bf16)


def test_precisions_of_a_gpu(gpu: None) -> None:
    assert open_target(TargetName.TORCH).usable_precisions() == (Precision.FP32, Precision.FP16, Precision.BF16)


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.BF16])
def test_precisions_that_are_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: Precision) -> None:
    monkeypatch.setattr(device, "has_bfloat16_products", lambda: False)
    with pytest.raises(SegppError, match=f"does not compute engines in {precision} on this machine's CPU"):
        build(tmp_path, precision)
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


def test_a_graph_in_fp16_is_refused_on_a_cpu(tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "a.onnx", with_precision(tiny_metadata(), Precision.FP16))
    with pytest.raises(SegppError, match="does not compute engines in fp16"):
        run_build(source, tmp_path / "a.engine", BuildOptions(TargetName.TORCH))


def test_bf16_computes_on_a_cpu_that_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "has_bfloat16_products", lambda: True)
    assert build(tmp_path, Precision.BF16).manifest.precision is Precision.BF16


def test_int8_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="The target torch does not compute in int8"):
        build(tmp_path, Precision.INT8)


def test_plugin_graphs_need_no_library_on_a_cpu(tmp_path: Path) -> None:
    source = write_tiny(tmp_path / "a.onnx", tiny_metadata(lowering=Lowering.PLUGIN), PLUGIN_BODY)
    made = run_build(source, tmp_path / "a.engine", BuildOptions(TargetName.TORCH))
    assert made.manifest.runtime.plugin_sha256 is None
    session = open_session(made.path)
    assert session.run(noise_images(tiny_metadata())).shape == (1, 64, 96)
    session.close()


def test_plugin_graphs_need_the_kernels_on_a_gpu(gpu: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGPP_CACHE", str(tmp_path))
    with pytest.raises(SegppError, match="kernels were not compiled yet") as caught:
        open_with_plugins(TargetName.TORCH)
    assert "plugins build --kernels" in caught.value.fix


def test_a_session_that_was_closed(tmp_path: Path) -> None:
    session = open_session(build(tmp_path).path)
    session.close()
    with pytest.raises(SegppError, match="The session was closed"):
        session.run(noise_images(tiny_metadata()))


def test_a_graph_with_nodes_that_no_export_has(tmp_path: Path) -> None:
    body = "pixels = Cast <to = 1> (image) logits = Celu (pixels)"
    source = write_tiny(tmp_path / "a.onnx", tiny_metadata(OutputKind.LOGITS), body)
    with pytest.raises(SegppError, match="nodes that no export has: Celu"):
        run_build(source, tmp_path / "a.engine", BuildOptions(TargetName.TORCH))


def test_a_reference_on_a_gpu_needs_one() -> None:
    with pytest.raises(SegppError, match="finds no NVIDIA GPU that it can use") as caught:
        device.require_cuda()
    assert caught.value.fix == f"--device {TorchDevice.CPU}"


def test_the_hash_of_the_kernels_is_of_those_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGPP_CACHE", str(tmp_path))
    assert target._kernels_sha256() is None
