from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segpp_deploy.config import InputKind, OutputKind
from segpp_deploy.engine import open as verify
from segpp_deploy.engine.open import open_session
from segpp_deploy.errors import SegppError
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.onnxruntime import session as onnxruntime_session
from segpp_deploy.runtimes.registry import open_target
from segpp_deploy.runtimes.session import SessionOptions
from tests.engine.conftest import Build
from tests.support.tiny_graphs import tiny_metadata

TARGETS_HERE = [TargetName.CPU, TargetName.OPENVINO, TargetName.TORCH]


def noise(batch: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (batch, 64, 96, 3), np.uint8)


def thirds(images: NDArray[np.uint8]) -> NDArray[Any]:
    brightest = images.max(axis=3)
    return (brightest > 85).astype(np.uint8) + (brightest > 170)


def block_means(planes: NDArray[Any]) -> NDArray[np.float32]:
    blocks = planes.astype(np.float32).reshape(len(planes), 3, 16, 4, 24, 4)
    return blocks.mean(axis=(3, 5))


def test_a_target_is_opened_once(build_tiny: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, opened = build_tiny(TargetName.CPU), []
    monkeypatch.setattr(verify, "open_target", lambda name: opened.append(name) or open_target(name))
    open_session(engine).close()
    assert opened == [TargetName.CPU]


@pytest.mark.parametrize("target", TARGETS_HERE)
def test_labels(build_tiny: Build, target: TargetName) -> None:
    with closing(open_session(build_tiny(target))) as session:
        images = noise(1)
        labels = session.run(images)
        assert session.metadata == tiny_metadata()
        assert labels.dtype == np.uint8
        np.testing.assert_array_equal(labels, thirds(images))


@pytest.mark.parametrize("target", TARGETS_HERE)
@pytest.mark.parametrize("batch", [1, 3])
def test_dynamic_batch(build_tiny: Build, target: TargetName, batch: int) -> None:
    with closing(open_session(build_tiny(target, tiny_metadata(batch=None)))) as session:
        for size in (batch, 2):  # the batch may change from call to call
            np.testing.assert_array_equal(session.run(noise(size)), thirds(noise(size)))


@pytest.mark.parametrize("target", TARGETS_HERE)
def test_logits_of_bytes_and_floats(build_tiny: Build, target: TargetName) -> None:
    images = noise(1)
    with closing(open_session(build_tiny(target, tiny_metadata(OutputKind.LOGITS)))) as session:
        np.testing.assert_allclose(session.run(images), block_means(images.transpose(0, 3, 1, 2)), rtol=1e-5)
    planes = images.transpose(0, 3, 1, 2).astype(np.float32)
    for kind in (InputKind.FLOAT, InputKind.FLOAT255):
        with closing(open_session(build_tiny(target, tiny_metadata(OutputKind.LOGITS, kind)))) as session:
            np.testing.assert_allclose(session.run(planes), block_means(planes), rtol=1e-5)


@pytest.mark.parametrize("target", TARGETS_HERE)
def test_outputs_are_their_own(build_tiny: Build, target: TargetName) -> None:
    with closing(open_session(build_tiny(target))) as session:
        first = session.run(noise(1))
        kept = first.copy()
        session.run(noise(1, seed=1))
        np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("target", TARGETS_HERE)
def test_any_memory_layout(build_tiny: Build, target: TargetName) -> None:
    images = noise(1)
    turned = np.asfortranarray(images)
    frozen = images.copy()
    frozen.flags.writeable = False
    with closing(open_session(build_tiny(target))) as session:
        for view in (turned, frozen, np.ascontiguousarray(images[:, ::-1])[:, ::-1]):
            np.testing.assert_array_equal(session.run(view), thirds(images))


@pytest.mark.parametrize("target", TARGETS_HERE)
@pytest.mark.parametrize(
    ("images", "got", "fix"),
    [
        (np.zeros((64, 96, 3), np.uint8), r"uint8 \[64, 96, 3\]", "batch axis"),
        (np.zeros((1, 64, 96, 3), np.float32), "float32", "export with float input"),
        (np.zeros((1, 3, 64, 96), np.uint8), r"\[1, 3, 64, 96\]", "export at another size"),
        (np.zeros((1, 64, 97, 3), np.uint8), r"\[1, 64, 97, 3\]", "export at another size"),
        (np.zeros((2, 64, 96, 3), np.uint8), r"\[2, 64, 96, 3\]", "export with a dynamic batch"),
        (np.zeros((0, 64, 96, 3), np.uint8), r"\[0, 64, 96, 3\]", "export with a dynamic batch"),
        (np.zeros((), np.uint8), r"\[\]", "export at another size"),
    ],
)
def test_images_that_do_not_fit(
    build_tiny: Build, target: TargetName, images: NDArray[Any], got: str, fix: str
) -> None:
    with (
        closing(open_session(build_tiny(target))) as session,
        pytest.raises(SegppError, match=f"cannot take .*{got}") as caught,
    ):
        session.run(images)
    assert caught.value.expected == "image uint8 [1, 64, 96, 3]."
    assert fix in caught.value.fix


def test_the_manifest_is_checked_before_the_file_is_loaded(build_tiny: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = build_tiny(TargetName.CPU)
    engine.write_bytes(b"x" * engine.stat().st_size)
    monkeypatch.setattr(onnxruntime_session, "load_onnxruntime", lambda *_: pytest.fail("loaded"))
    with pytest.raises(SegppError, match="was changed"):
        open_session(engine)


@pytest.mark.parametrize("target", TARGETS_HERE)
def test_profile(build_tiny: Build, target: TargetName) -> None:
    session = open_session(build_tiny(target), SessionOptions(threads=1, profile=True))
    for _ in range(4):
        session.run(noise(1))
    profile = session.profile(skip_runs=1)
    times = profile.operations
    assert times
    assert sum(profile.parts.values()) == pytest.approx(sum(time.milliseconds for time in times))
    assert all(time.milliseconds >= 0 and time.count >= 1 for time in times)
    assert [time.milliseconds for time in times] == sorted((time.milliseconds for time in times), reverse=True)
    if target is TargetName.CPU:
        assert {time.operation: time.count for time in times}["ReduceMax"] == 1


def test_profiles_leave_no_files(build_tiny: Build, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = build_tiny(TargetName.CPU)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = sorted(tmp_path.iterdir())
    session = open_session(engine, SessionOptions(profile=True))
    session.run(noise(1))
    session.profile()
    assert sorted(tmp_path.iterdir()) == before
    monkeypatch.chdir(tmp_path)
    with closing(open_session(engine, SessionOptions(profile=True))) as session:
        session.run(noise(1))
    assert sorted(tmp_path.iterdir()) == before
