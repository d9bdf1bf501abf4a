from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from segpp_deploy.config import Inference, OutputKind, Preset, Size, TaskName
from segpp_deploy.data.geometry.crop import Box
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.model.plan import PRESETS
from tests.workflows.fake_session import BrightnessSession, make_metadata


def half_bright(height: int, width: int) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    image[:, width // 2 :] = 255
    return image


@pytest.mark.parametrize("size", [(32, 64), (50, 90), (200, 20)])
@pytest.mark.parametrize("output_kind", [OutputKind.LABELS, OutputKind.LOGITS])
def test_labels_have_the_pictures_size(size: tuple[int, int], output_kind: OutputKind) -> None:
    image = half_bright(*size)
    (found,) = Predictor(BrightnessSession(make_metadata(output_kind))).predict([image])
    assert found.labels.shape == size
    assert np.mean(found.labels == (image[..., 0] > 0)) > 0.9


def test_fixed_batch_is_filled_up_and_the_surplus_dropped() -> None:
    session = BrightnessSession(make_metadata(batch=3))
    images = [np.full((32, 64, 3), value, np.uint8) for value in (0, 255, 0, 255)]
    found = Predictor(session).predict(images)
    assert session.shapes == [(3, 32, 64, 3), (3, 32, 64, 3)]
    assert [int(item.labels.max()) for item in found] == [0, 1, 0, 1]


def test_open_batch_takes_one_picture_a_call() -> None:
    session = BrightnessSession(make_metadata(batch=None))
    Predictor(session).predict([half_bright(32, 64)] * 2)
    assert session.shapes == [(1, 32, 64, 3)] * 2


def test_windows_cover_a_large_picture() -> None:
    session = BrightnessSession(make_metadata(OutputKind.LOGITS, batch=2))
    image = half_bright(32, 200)
    (found,) = Predictor(session, Inference.SLIDE).predict([image])
    assert len(found.outputs) == 4  # columns 0, 48, 96, 136
    assert session.shapes == [(2, 32, 64, 3)] * 2
    assert np.mean(found.labels == (image[..., 0] > 0)) > 0.97


def test_window_larger_than_the_picture() -> None:
    session = BrightnessSession(make_metadata(OutputKind.LOGITS, size=Size(64, 64)))
    (found,) = Predictor(session, Inference.SLIDE).predict([half_bright(32, 48)])
    assert found.labels.shape == (32, 48)


def test_windows_need_logits() -> None:
    with pytest.raises(SegppError, match="puts out labels"):
        Predictor(BrightnessSession(make_metadata()), Inference.SLIDE)


def test_a_persons_keypoints_come_back_into_the_picture() -> None:
    session = BrightnessSession(make_metadata(OutputKind.HEATMAPS, task=TaskName.POSE))
    image = np.zeros((200, 300, 3), np.uint8)
    image[60:70, 150:160] = 255
    large = np.zeros((200, 300, 3), np.uint8)
    large[40:90, 120:190] = 255
    (whole,) = Predictor(session).predict([large])
    (found,) = Predictor(session).predict([image], [Box(120, 40, 200, 90)])
    assert session.shapes == [(1, 32, 64, 3)] * 2
    assert np.abs(found.points[1] - (155, 65)).max() < 6  # a cell of the heatmap is 6 pixels of this box
    assert np.abs(whole.points[1] - (155, 65)).max() < 30
    assert found.points[0].tolist() == [-1, -1]
    assert found.scores[0] == 0


def test_windows_cut_no_person() -> None:
    with pytest.raises(SegppError, match="cut persons apart"):
        Predictor(BrightnessSession(make_metadata(OutputKind.HEATMAPS, task=TaskName.POSE)), Inference.SLIDE)


def test_closing_closes_the_session() -> None:
    session = BrightnessSession(make_metadata())
    with Predictor(session):
        assert not session.closed
    assert session.closed


def test_each_picture_goes_to_the_engine_of_its_shape() -> None:
    wide, tall = BrightnessSession(make_metadata()), BrightnessSession(make_metadata(size=Size(64, 32), batch=2))
    predictor = Predictor(wide, also=[tall])
    images = [half_bright(60, 30), half_bright(40, 90), half_bright(120, 70), half_bright(200, 90)]
    found = predictor.predict(images)
    assert wide.shapes == [(1, 32, 64, 3)]
    assert tall.shapes == [(2, 64, 32, 3)] * 2  # three pictures, the last call filled up
    assert [item.labels.shape for item in found] == [image.shape[:2] for image in images]
    assert all(np.mean(item.labels == (image[..., 0] > 0)) > 0.9 for item, image in zip(found, images, strict=True))
    assert predictor.notes() == ("Pictures by input size: 32x64 1, 64x32 3.",)


def test_one_engine_takes_everything_without_a_word() -> None:
    predictor = Predictor(BrightnessSession(make_metadata()))
    predictor.predict([half_bright(60, 30), half_bright(30, 60)])
    assert predictor.notes() == ()


def test_all_engines_are_closed() -> None:
    sessions = [BrightnessSession(make_metadata()), BrightnessSession(make_metadata(size=Size(64, 32)))]
    with Predictor(sessions[0], also=sessions[1:]):
        pass
    assert all(session.closed for session in sessions)


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        (make_metadata(), "Two engines take 32x64"),
        (make_metadata(OutputKind.LOGITS, size=Size(64, 32)), "differ in output: labels and logits"),
        (make_metadata(size=Size(64, 32), num_classes=3), "differ in classes: 2 and 3"),
        (replace(make_metadata(size=Size(64, 32)), checkpoint_sha256="ab" * 32), "differ in weights"),
        (replace(make_metadata(size=Size(64, 32)), plan=PRESETS[Preset.POOL_2X2]), "differ in mode"),
    ],
)
def test_engines_that_are_not_of_one_model(other: ExportMetadata, complaint: str) -> None:
    with pytest.raises(SegppError, match=complaint):
        Predictor(BrightnessSession(make_metadata()), also=[BrightnessSession(other)])
