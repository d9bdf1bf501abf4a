from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from segpp_deploy.config import Precision
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.contract import noise_images
from segpp_deploy.hardware.cpu import physical_cores
from segpp_deploy.runtimes.onnxruntime import loader as onnxruntime_loader
from segpp_deploy.runtimes.onnxruntime.loader import LoadOptions, Provider, load_onnxruntime, run_onnxruntime
from segpp_deploy.runtimes.openvino import loader as openvino_loader
from segpp_deploy.runtimes.openvino.loader import load_openvino, run_openvino
from segpp_deploy.runtimes.target import EngineSettings
from tests.support.tiny_graphs import tiny_metadata, write_tiny

IMAGE = noise_images(tiny_metadata())


@pytest.fixture
def garbage(tmp_path: Path) -> Path:
    path = tmp_path / "garbage.engine"
    path.write_bytes(b"not a graph at all")
    return path


def test_onnxruntime_names_what_it_cannot_load(garbage: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SegppError, match=r"ONNX Runtime cannot load .*garbage\.engine: .+"):
        load_onnxruntime(garbage, LoadOptions())
    assert capfd.readouterr().err == ""


def test_openvino_names_what_it_cannot_load(garbage: Path) -> None:
    with pytest.raises(SegppError, match=r"OpenVINO cannot load .*garbage\.engine: .+") as caught:
        load_openvino(garbage, EngineSettings())
    assert "src/" not in caught.value.what


def test_what_cannot_be_loaded_from_memory_is_the_graph() -> None:
    with pytest.raises(SegppError, match=r"ONNX Runtime cannot load the graph: .+"):
        load_onnxruntime(b"not a graph at all", LoadOptions())
    with pytest.raises(SegppError, match=r"OpenVINO cannot load the graph: .+"):
        load_openvino(b"not a graph at all", EngineSettings())


def test_a_file_and_its_content_compute_the_same(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "a.onnx")
    sources = (path, path.read_bytes())
    labels = [run_onnxruntime(load_onnxruntime(source, LoadOptions()), IMAGE)[0] for source in sources]
    np.testing.assert_array_equal(*labels)
    requests = [load_openvino(source, EngineSettings()).create_infer_request() for source in (path, path.read_bytes())]
    np.testing.assert_array_equal(*(run_openvino(request, IMAGE)[0] for request in requests))


def test_failing_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_tiny(tmp_path / "a.onnx")
    session = load_onnxruntime(path, LoadOptions())
    with pytest.raises(SegppError, match=r"ONNX Runtime failed while it ran the graph: .+"):
        run_onnxruntime(session, IMAGE[:, :-1])
    request = load_openvino(path, EngineSettings()).create_infer_request()
    with pytest.raises(SegppError, match=r"OpenVINO failed while it ran the graph: .+"):
        run_openvino(request, IMAGE[:, :-1])
    assert capfd.readouterr().err == ""


def test_both_runtimes_compute_the_same(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "a.onnx")
    labels = run_onnxruntime(load_onnxruntime(path, LoadOptions(threads=1)), IMAGE)[0]
    request = load_openvino(path, EngineSettings(threads=1)).create_infer_request()
    np.testing.assert_array_equal(run_openvino(request, IMAGE)[0], labels)


@pytest.mark.parametrize("threads", [None, 1, 3])
def test_threads(tmp_path: Path, threads: int | None) -> None:
    path = write_tiny(tmp_path / "a.onnx")
    expected = threads or physical_cores()
    session = load_onnxruntime(path, LoadOptions(threads=threads))
    assert session.get_session_options().intra_op_num_threads == expected
    compiled = load_openvino(path, EngineSettings(threads=threads))
    assert compiled.get_property("INFERENCE_NUM_THREADS") == min(expected, os.cpu_count() or 1)


@pytest.mark.parametrize("has_vnni", [False, True])
def test_int8_products_do_not_saturate_on_old_cpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_vnni: bool
) -> None:
    monkeypatch.setattr("segpp_deploy.runtimes.onnxruntime.loader.has_byte_products", lambda: has_vnni)
    options = load_onnxruntime(write_tiny(tmp_path / "a.onnx"), LoadOptions()).get_session_options()
    if has_vnni:
        with pytest.raises(RuntimeError, match="x64quantprecision"):  # it was never set
            options.get_session_config_entry("session.x64quantprecision")
    else:
        assert options.get_session_config_entry("session.x64quantprecision") == "1"


def test_openvino_computes_in_float32_unless_told_otherwise(tmp_path: Path) -> None:
    compiled = load_openvino(write_tiny(tmp_path / "a.onnx"), EngineSettings())
    assert compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"


def test_bf16_needs_the_cpu_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_loader, "_supports_bf16", lambda core: False)
    with pytest.raises(SegppError, match="cannot compute in bfloat16"):
        load_openvino(write_tiny(tmp_path / "a.onnx"), EngineSettings(Precision.BF16))


def test_cuda_does_not_fall_back_to_the_cpu_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    class OnTheCpu(onnxruntime.InferenceSession):  # what a session without working CUDA libraries becomes
        def __init__(self, path: str, options: object, providers: list[Any]) -> None:
            (name, _), otherwise = providers
            assert (name, otherwise) == ("CUDAExecutionProvider", "CPUExecutionProvider")
            super().__init__(path, options, providers=["CPUExecutionProvider"])

    runtime = SimpleNamespace(**{**vars(onnxruntime), "InferenceSession": OnTheCpu})
    monkeypatch.setattr(onnxruntime_loader, "import_runtime", lambda info: runtime)
    with pytest.raises(SegppError, match="no working CUDA device"):
        load_onnxruntime(write_tiny(tmp_path / "a.onnx"), LoadOptions(Provider.CUDA))
