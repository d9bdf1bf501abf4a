"""Sessions of the target `cuda`: ONNX Runtime computes on the CPU, on buffers of a GPU in host memory."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from segpp_deploy.config import OutputKind, Precision
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.contract import noise_images
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.runtimes.onnxruntime import cuda_session
from segpp_deploy.runtimes.onnxruntime import loader as onnxruntime_loader
from segpp_deploy.runtimes.onnxruntime.bound_run import BoundRun
from segpp_deploy.runtimes.onnxruntime.cuda import CudaTarget
from segpp_deploy.runtimes.onnxruntime.loader import LoadOptions, load_onnxruntime, run_onnxruntime
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.runtimes.target import EngineSettings
from tests.support.fake_cuda import FakeCuda
from tests.support.tiny_graphs import tiny_metadata, write_tiny

REFUSAL = "This session cannot use the CUDA Graph feature as requested by the user as the model has nodes on the CPU."


@pytest.fixture
def asked(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The provider options of each session that is loaded from here on; the CPU computes."""
    options_seen: list[dict[str, str]] = []

    class OnTheCpu(onnxruntime.InferenceSession):  # type: ignore[misc]
        def __init__(self, path: str, options: object, providers: list[Any]) -> None:
            options_seen.append(providers[0][1])
            super().__init__(path, options, providers=["CPUExecutionProvider"])

        def get_providers(self) -> list[str]:
            return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    use_runtime(monkeypatch, OnTheCpu)
    return options_seen


def use_runtime(monkeypatch: pytest.MonkeyPatch, session: type) -> None:
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    names = {**vars(onnxruntime), "InferenceSession": session, "get_available_providers": lambda: providers}
    runtime = SimpleNamespace(**names)
    monkeypatch.setattr(onnxruntime_loader, "import_runtime", lambda info: runtime)
    monkeypatch.setattr("segpp_deploy.runtimes.onnxruntime.cuda.import_runtime", lambda info: runtime)
    monkeypatch.setattr("segpp_deploy.runtimes.onnxruntime.cuda.has_nvidia_gpu", lambda: True)
    monkeypatch.setattr(cuda_session, "BoundRun", partial(BoundRun, memory="cpu"))


def open_tiny(
    path: Path, metadata: ExportMetadata, precision: Precision = Precision.FP32, profile: bool = False
) -> Any:
    settings = EngineSettings(precision)
    return CudaTarget().load(write_tiny(path, metadata), metadata, settings, SessionOptions(profile=profile))


@pytest.mark.parametrize("kind", [OutputKind.LABELS, OutputKind.LOGITS])
def test_bound_runs_compute_what_others_do(cuda: FakeCuda, tmp_path: Path, kind: OutputKind) -> None:
    metadata = tiny_metadata(kind, batch=None)
    session = load_onnxruntime(write_tiny(tmp_path / "a.onnx", metadata), LoadOptions())
    with closing(BoundRun(session, metadata, memory="cpu")) as bound:
        kept, expected = [], []
        for seed, batch in enumerate((1, 1, 3, 2, 3)):
            shape = (batch, *noise_images(metadata).shape[1:])
            images = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
            kept += bound.run(images)
            expected += run_onnxruntime(session, images)
        assert cuda.calls.count("cudaMalloc") == 2 * 4  # the batch changed three times
    for found, known in zip(kept, expected, strict=True):  # each an array of its own
        np.testing.assert_array_equal(found, known)
    assert not cuda.live


def test_lack_of_memory_leaves_a_session_that_runs(cuda: FakeCuda, tmp_path: Path) -> None:
    metadata = tiny_metadata(batch=None)
    session = load_onnxruntime(write_tiny(tmp_path / "a.onnx", metadata), LoadOptions())
    one = noise_images(metadata)[:1]
    with closing(BoundRun(session, metadata, memory="cpu")) as bound:
        cuda.memory_bytes = 4 * one.nbytes
        with pytest.raises(SegppError, match="out of memory"):
            bound.run(np.repeat(one, 5, axis=0))
        np.testing.assert_array_equal(*bound.run(one), *run_onnxruntime(session, one))
    assert not cuda.live


@pytest.mark.parametrize(("precision", "tf32"), [(Precision.FP32, "0"), (Precision.FP16, "1")])
def test_float32_engines_compute_in_float32(
    asked: list[dict[str, str]], tmp_path: Path, precision: Precision, tf32: str
) -> None:
    with closing(open_tiny(tmp_path / "a.onnx", tiny_metadata(), precision)):
        assert [options["use_tf32"] for options in asked] == [tf32]


@pytest.mark.parametrize(
    ("batch", "profile", "captured"), [(1, False, "1"), (2, False, "1"), (None, False, "0"), (1, True, "0")]
)
def test_fixed_batches_are_captured(
    asked: list[dict[str, str]], tmp_path: Path, batch: int | None, profile: bool, captured: str
) -> None:
    with closing(open_tiny(tmp_path / "a.onnx", tiny_metadata(batch=batch), profile=profile)):
        assert [options["enable_cuda_graph"] for options in asked] == [captured]


def test_where_a_graph_is_refused_the_session_runs_without(
    cuda: FakeCuda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refuses(onnxruntime.InferenceSession):  # type: ignore[misc]
        def __init__(self, path: str, options: object, providers: list[Any]) -> None:
            if providers[0][1]["enable_cuda_graph"] == "1":
                raise RuntimeError(REFUSAL)
            super().__init__(path, options, providers=["CPUExecutionProvider"])

        def get_providers(self) -> list[str]:
            return ["CUDAExecutionProvider"]

    use_runtime(monkeypatch, Refuses)
    metadata = tiny_metadata()
    with closing(open_tiny(tmp_path / "a.onnx", metadata)) as session:
        labels = session.run(noise_images(metadata))
    plain = onnxruntime.InferenceSession(tmp_path / "a.onnx", providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(labels, *run_onnxruntime(plain, noise_images(metadata)))
    assert not cuda.live


def test_profiles_are_taken_of_bound_runs(asked: list[dict[str, str]], tmp_path: Path) -> None:
    metadata = tiny_metadata()
    session = open_tiny(tmp_path / "a.onnx", metadata, profile=True)
    for _ in range(3):
        session.run(noise_images(metadata))
    assert sum(operation.count for operation in session.profile(skip_runs=1).operations) > 0
