"""The flip test agrees with a transcription of the published one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.config import Inference, KeypointRelations, OutputKind, TaskName
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.tasks.pose.decoding import average_with_mirrored
from segpp_deploy.tasks.pose.prediction import Pose
from tests.workflows.fake_session import BrightnessSession, make_metadata

PAIRS = KeypointRelations(flip_pairs=((0, 1),))


def published_flip_test(heatmaps: np.ndarray, mirrored: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    back = np.zeros_like(mirrored)
    for keypoint in range(len(mirrored)):
        partner = keypoint
        for left, right in pairs:
            partner = {left: right, right: left}.get(keypoint, partner)
        for column in range(mirrored.shape[2]):
            back[keypoint, :, column] = mirrored[partner, :, mirrored.shape[2] - 1 - column]
    shifted = back.copy()
    for column in range(1, back.shape[2]):
        shifted[:, :, column] = back[:, :, column - 1]
    return (heatmaps + shifted) / 2


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.tuples(st.integers(1, 6), st.integers(1, 6)))
def test_averaging(seed: int, grid: tuple[int, int]) -> None:
    random = np.random.default_rng(seed)
    heatmaps, mirrored = random.standard_normal((2, 5, *grid)).astype(np.float32)
    pairs = [(1, 2), (3, 4)]
    found = average_with_mirrored(heatmaps, mirrored, KeypointRelations(tuple(pairs)).mirrored(5))
    np.testing.assert_allclose(found, published_flip_test(heatmaps, mirrored, pairs), atol=1e-6)


def test_the_mirror_image_is_looked_at() -> None:
    metadata = make_metadata(OutputKind.HEATMAPS, task=TaskName.POSE)
    session = BrightnessSession(metadata)
    image = np.zeros((32, 64, 3), np.uint8)
    image[12:20, 40:48] = 255
    (alone,) = Predictor[Pose](session).predict([image])
    (both,) = Predictor[Pose](session, Inference.FLIP, PAIRS).predict([image])
    assert len(session.shapes) == 1 + 2
    # keypoint 1 of the picture is keypoint 0 of its mirror image, which this session finds nowhere
    assert both.scores[1] == pytest.approx(alone.scores[1] / 2)
    assert np.abs(both.points[1] - alone.points[1]).max() <= 2


@pytest.mark.parametrize(
    ("kind", "relations", "message"),
    [
        (OutputKind.HEATMAPS, None, "which keypoints change places"),
        (OutputKind.HEATMAPS, KeypointRelations(sigmas=(0.1, 0.1)), "which keypoints change places"),
        (OutputKind.KEYPOINTS, PAIRS, "averages heatmaps; this engine puts out keypoints"),
    ],
)
def test_what_cannot_be_mirrored(kind: OutputKind, relations: KeypointRelations | None, message: str) -> None:
    session = BrightnessSession(make_metadata(kind, task=TaskName.POSE))
    with pytest.raises(SegppError, match=message):
        Predictor(session, Inference.FLIP, relations)


def test_segmentation_has_no_flip_test() -> None:
    with pytest.raises(SegppError, match="mirror image is not looked at"):
        Predictor(BrightnessSession(make_metadata()), Inference.FLIP)


def test_the_models_own_pairs_come_first() -> None:
    metadata = make_metadata(OutputKind.HEATMAPS, task=TaskName.POSE)
    own = replace(metadata, training=replace(metadata.training, keypoints=PAIRS))
    other = KeypointRelations(flip_pairs=(), sigmas=(0.1, 0.2), skeleton=((0, 1),))
    found = Predictor(BrightnessSession(own), Inference.FLIP, other).metadata.training.keypoints
    assert found == KeypointRelations(PAIRS.flip_pairs, other.sigmas, other.skeleton)
