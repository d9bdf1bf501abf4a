"""The session of both flavours on a fake GPU; no real one has run it."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segpp_deploy.config import OutputForm
from segpp_deploy.engine.manifest import Manifest, dump_manifest, manifest_path
from segpp_deploy.engine.open import open_session
from segpp_deploy.errors import SegppError
from segpp_deploy.files import sha256_of
from segpp_deploy.graph.network_parts import NetworkPart
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.runtimes.target import RuntimeFacts
from segpp_deploy.runtimes.tensorrt.session import TensorRtSession
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from tests.runtimes.conftest import cuda
from tests.runtimes.tensorrt.fake_tensorrt import FakeTensorRt
from tests.support.fake_cuda import FakeCuda
from tests.support.tiny_graphs import tiny_metadata, write_tiny

__all__ = ["cuda"]
FLAVOURS = {TargetName.TENSORRT: "tensorrt", TargetName.TENSORRT_RTX: "tensorrt_rtx"}


def noise(batch: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (batch, 64, 96, 3), np.uint8)


def thirds(images: NDArray[np.uint8]) -> NDArray[Any]:
    brightest = images.max(axis=3)
    return (brightest > 85).astype(np.uint8) + (brightest > 170)


@pytest.fixture(params=list(FLAVOURS))
def target(request: pytest.FixtureRequest, cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> TargetName:
    """A flavour, installed."""
    install(monkeypatch, cuda, request.param)
    return TargetName(request.param)


def install(monkeypatch: pytest.MonkeyPatch, cuda: FakeCuda, target: TargetName, **engine: int) -> FakeTensorRt:
    api = FakeTensorRt(cuda, **engine)
    monkeypatch.setitem(sys.modules, FLAVOURS[target], api)  # type: ignore[arg-type]
    return api


def write_engine(
    folder: Path, target: TargetName, batch: int | None = 1, form: OutputForm | None = None, **facts: Any
) -> Path:
    """An engine file that the fake loads, with a manifest made by a real build."""
    built = run_build(
        write_tiny(folder / "a.onnx", tiny_metadata(batch=batch)), folder / "a.cpu", BuildOptions(TargetName.CPU)
    )
    engine = folder / "a.engine"
    engine.write_bytes(b"engine")
    runtime = RuntimeFacts(FLAVOURS[target], "11.4.0", compute_capabilities=("8.6", "8.9"))
    changes = {
        "target": target,
        "payload": TARGETS[target].payload,
        "runtime": replace(runtime, **facts),
        "size_bytes": 6,
        "engine_sha256": sha256_of(engine),
        "metadata": replace(built.manifest.metadata, output_form=form or OutputForm()),
    }
    manifest = Manifest.model_validate({**built.manifest.model_dump(), **changes})
    manifest_path(engine).write_text(dump_manifest(manifest))
    return engine


def test_labels(target: TargetName, tmp_path: Path, cuda: FakeCuda) -> None:
    with closing(open_session(write_engine(tmp_path, target))) as session:
        for _ in range(3):
            np.testing.assert_array_equal(session.run(noise(1)), thirds(noise(1)))
        assert session.metadata == tiny_metadata()
    assert "cudaGraphLaunch" in cuda.calls
    assert not cuda.live


def test_outputs_come_in_the_order_of_the_contract(
    cuda: FakeCuda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, cuda, TargetName.TENSORRT).outputs = ("confidence", "labels")
    engine = write_engine(tmp_path, TargetName.TENSORRT, form=OutputForm(confidence=True))
    with closing(open_session(engine)) as session:
        for _ in range(3):
            labels, confidence = session.run_all(noise(1))
            np.testing.assert_array_equal(labels, thirds(noise(1)))
            np.testing.assert_array_equal(confidence, noise(1).max(axis=3))
            np.testing.assert_array_equal(session.run(noise(1)), labels)
    assert not cuda.live


def test_dynamic_batch(cuda: FakeCuda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, cuda, TargetName.TENSORRT, batch=-1, max_batch=3)
    with closing(open_session(write_engine(tmp_path, TargetName.TENSORRT, batch=None))) as session:
        for batch in (2, 3, 1):
            np.testing.assert_array_equal(session.run(noise(batch)), thirds(noise(batch)))
        with pytest.raises(SegppError, match="at most 3 images"):
            session.run(noise(4))


def test_images_that_do_not_fit_reach_no_gpu(target: TargetName, tmp_path: Path, cuda: FakeCuda) -> None:
    with closing(open_session(write_engine(tmp_path, target))) as session, pytest.raises(SegppError, match="float32"):
        session.run(noise(1).astype(np.float32))
    assert "cudaMemcpyAsync" not in cuda.calls


@pytest.mark.parametrize(
    ("facts", "complaint"),
    [
        ({"version": "11.3.0"}, r"version 11\.3\.0, here 11\.4\.0"),
        ({"compute_capabilities": ("12.0",)}, r"compute capability 12\.0, here 8\.9"),
        ({"cuda": "12", "version": "1.0"}, r"version 1\.0, here 11\.4\.0"),
        ({"plugin_sha256": "a" * 64}, "plugin library aaaaaaaaaaaa, here none"),
    ],
)
def test_a_wrong_engine_is_explained_and_not_loaded(
    target: TargetName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any], complaint: str
) -> None:
    monkeypatch.setattr(FakeTensorRt, "_deserialize", lambda *_: pytest.fail("loaded"))
    with pytest.raises(SegppError, match=complaint) as caught:
        open_session(write_engine(tmp_path, target, **facts))
    assert f"--target {target}" in caught.value.fix


def test_an_engine_with_other_ends_than_its_manifest(
    cuda: FakeCuda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, cuda, TargetName.TENSORRT).output_type = "DataType.INT32"
    with pytest.raises(SegppError, match=r"gives image uint8 .*; labels int32") as caught:
        open_session(write_engine(tmp_path, TargetName.TENSORRT))
    assert "labels uint8 [1, 64, 96]" in caught.value.expected
    assert not cuda.live


def test_profile(target: TargetName, tmp_path: Path, cuda: FakeCuda) -> None:
    session = open_session(write_engine(tmp_path, target), SessionOptions(profile=True))
    for _ in range(3):
        session.run(noise(1))
    profile = session.profile(skip_runs=1)
    assert [(time.operation, time.milliseconds, time.count) for time in profile.operations] == [
        ("conv + bias", 2.0, 1),
        ("argmax", 0.5, 1),
    ]
    assert profile.parts[NetworkPart.FEED_FORWARD] == 2.0
    assert profile.parts[NetworkPart.REST] == 0.5  # the inspector names no node that it comes from
    assert not cuda.live


def test_a_closed_session(target: TargetName, tmp_path: Path) -> None:
    session = open_session(write_engine(tmp_path, target))
    assert isinstance(session, TensorRtSession)
    session.close()
    session.close()
    with pytest.raises(SegppError, match="was closed"):
        session.run(noise(1))
