from __future__ import annotations

import numpy as np
import pytest

from segpp_deploy.config import Inference, OutputKind, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluate.predictor import Segmenter
from tests.workflows.fake_session import BrightnessSession, make_metadata


def half_bright(height: int, width: int) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    image[:, width // 2 :] = 255
    return image


@pytest.mark.parametrize("size", [(32, 64), (50, 90), (200, 20)])
@pytest.mark.parametrize("output_kind", [OutputKind.LABELS, OutputKind.LOGITS])
def test_labels_have_the_pictures_size(size: tuple[int, int], output_kind: OutputKind) -> None:
    image = half_bright(*size)
    (found,) = Segmenter(BrightnessSession(make_metadata(output_kind))).segment([image])
    assert found.labels.shape == size
    assert np.mean(found.labels == (image[..., 0] > 0)) > 0.9


def test_fixed_batch_is_filled_up_and_the_surplus_dropped() -> None:
    session = BrightnessSession(make_metadata(batch=3))
    images = [np.full((32, 64, 3), value, np.uint8) for value in (0, 255, 0, 255)]
    found = Segmenter(session).segment(images)
    assert session.shapes == [(3, 32, 64, 3), (3, 32, 64, 3)]
    assert [int(item.labels.max()) for item in found] == [0, 1, 0, 1]


def test_open_batch_takes_one_picture_a_call() -> None:
    session = BrightnessSession(make_metadata(batch=None))
    Segmenter(session).segment([half_bright(32, 64)] * 2)
    assert session.shapes == [(1, 32, 64, 3)] * 2


def test_windows_cover_a_large_picture() -> None:
    session = BrightnessSession(make_metadata(OutputKind.LOGITS, batch=2))
    image = half_bright(32, 200)
    (found,) = Segmenter(session, Inference.SLIDE).segment([image])
    assert len(found.outputs) == 4  # columns 0, 48, 96, 136
    assert session.shapes == [(2, 32, 64, 3)] * 2
    assert np.mean(found.labels == (image[..., 0] > 0)) > 0.97


def test_window_larger_than_the_picture() -> None:
    session = BrightnessSession(make_metadata(OutputKind.LOGITS, size=Size(64, 64)))
    (found,) = Segmenter(session, Inference.SLIDE).segment([half_bright(32, 48)])
    assert found.labels.shape == (32, 48)


def test_windows_need_logits() -> None:
    with pytest.raises(SegppError, match="puts out labels"):
        Segmenter(BrightnessSession(make_metadata()), Inference.SLIDE)


def test_pose_models_are_refused() -> None:
    with pytest.raises(SegppError, match="pose model"):
        Segmenter(BrightnessSession(make_metadata(OutputKind.HEATMAPS)))
