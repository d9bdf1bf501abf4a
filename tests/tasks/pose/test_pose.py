"""Crops, heatmaps and PCK agree with a transcription of the published conventions, written here line by line."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.config import ClassTable, OutputKind, Size, TaskName, default_class_table
from segpp_deploy.data.datasets.keypoints import Keypoints
from segpp_deploy.data.geometry.crop import Box, Crop
from segpp_deploy.tasks.pose.decoding import decode_heatmaps
from segpp_deploy.tasks.pose.metric import PckMetric
from segpp_deploy.tasks.pose.prediction import Pose
from segpp_deploy.tasks.pose.task import PoseTask
from tests.workflows.fake_session import make_metadata

SIZE = Size(384, 288)


def published_crop(box: tuple[float, float, float, float], size: Size) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre, scale and warp matrix, from the corners of a box."""
    x1, y1, x2, y2 = box
    centre = np.array([(x1 + x2) / 2, (y1 + y2) / 2])
    scale = 1.25 * np.array([x2 - x1, y2 - y1])
    aspect = size.width / size.height
    if scale[0] > aspect * scale[1]:
        scale[1] = scale[0] / aspect
    else:
        scale[0] = aspect * scale[1]
    matrix = np.zeros((2, 3))
    for axis, length in enumerate((size.width, size.height)):
        matrix[axis, axis] = length / scale[axis]
        matrix[axis, 2] = -centre[axis] * length / scale[axis] + length / 2
    return centre, scale, matrix


def published_decode(heatmaps: np.ndarray) -> tuple[list[list[float]], list[float]]:
    points, scores = [], []
    for heatmap in heatmaps:
        height, width = heatmap.shape
        best, x, y = -math.inf, -1, -1
        for row in range(height):
            for column in range(width):
                if heatmap[row, column] > best:
                    best, x, y = heatmap[row, column], column, row
        scores.append(float(best))
        if best <= 0:
            points.append([-1.0, -1.0])
            continue
        point = [float(x), float(y)]
        if 1 < x < width - 1 and 0 < y < height:
            point[0] += 0.25 * np.sign(heatmap[y, x + 1] - heatmap[y, x - 1])
        if 1 < y < height - 1 and 0 < x < width:
            point[1] += 0.25 * np.sign(heatmap[y + 1, x] - heatmap[y - 1, x])
        points.append(point)
    return points, scores


@pytest.mark.parametrize("corners", [(10, 20, 90, 250), (5, 5, 290, 60), (100, 100, 101, 140)])
def test_the_crop_is_the_published_warp(corners: tuple[float, float, float, float]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (260, 300, 3)).astype(np.uint8)
    _, _, matrix = published_crop(corners, SIZE)
    expected = cv2.warpAffine(image, matrix, (SIZE.width, SIZE.height), flags=cv2.INTER_LINEAR)
    found = Crop.around(Box(*corners), SIZE).cut(image)
    np.testing.assert_array_equal(found, expected)
    assert found.shape == (384, 288, 3)


def test_outside_the_picture_is_black() -> None:
    white = np.full((20, 20, 3), 255, np.uint8)
    crop = Crop.around(Box(0, 0, 19, 19), SIZE).cut(white)
    assert crop[0].max() == 0
    assert crop[192, 144].tolist() == [255, 255, 255]


@settings(max_examples=50, deadline=None)
@given(st.tuples(*[st.floats(0, 200)] * 2), st.tuples(*[st.floats(1, 200)] * 2))
def test_points_come_back(corner: tuple[float, float], extent: tuple[float, float]) -> None:
    corners = (*corner, corner[0] + extent[0], corner[1] + extent[1])
    centre, scale, matrix = published_crop(corners, SIZE)
    points = np.array([[0.0, 0.0], [100.0, 300.0]], np.float32)
    found = Crop.around(Box(*corners), SIZE).to_picture(points)
    np.testing.assert_allclose(
        found, points / (SIZE.width, SIZE.height) * scale + centre - scale / 2, rtol=1e-4, atol=1e-3
    )
    np.testing.assert_allclose(found @ matrix[:, :2].T + matrix[:, 2], points, atol=0.05)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_decoding(seed: int, grid: tuple[int, int]) -> None:
    random = np.random.default_rng(seed)
    heatmaps = random.integers(-3, 4, (5, *grid)).astype(np.float32)  # small integers tie often
    points, scores = decode_heatmaps(heatmaps)
    expected_points, expected_scores = published_decode(heatmaps)
    np.testing.assert_allclose(points, expected_points)
    np.testing.assert_allclose(scores, expected_scores)


def test_pck() -> None:
    metric = PckMetric(default_class_table(3))
    truth = np.array([[0, 0], [10, 0], [0, 10]], np.float32)
    labelled = np.array([True, True, False])
    near = np.array([[9.9, 0], [20.1, 0], [500, 500]], np.float32)  # of 100 pixels: within 0.1, beyond it, not counted
    exactly = np.array([[10, 0], [10, 5], [0, 10]], np.float32)  # 0.1 is not within 0.1; 0.05 is not within 0.05
    for points in (near, exactly):
        metric.update(Pose(points, np.ones(3, np.float32)), Keypoints(truth, labelled, 100.0))
    found = metric.evaluate()
    assert [score.name for score in found.scores] == ["PCK@0.1", "PCK@0.05"]
    assert found.headline.value == pytest.approx((0.5 + 0.5) / 2)
    assert found.further[0].value == 0
    assert list(found.per_class.values.values())[:2] == [0.5, 0.5]
    assert math.isnan(found.per_class.values["class_2"])
    assert found.samples == 2
    assert set(found.to_dict()) == {"images", "headline", "pck_0.1", "pck_0.05", "per_class_pck_0.1"}


@pytest.mark.parametrize(("order", "warns"), [([0, 1, 2], False), ([1, 2, 0], True)])
def test_keypoints_in_another_order_are_near_chance(order: list[int], warns: bool) -> None:
    metric, random = PckMetric(default_class_table(3)), np.random.default_rng(0)
    for _ in range(10):
        truth = random.uniform(0, 100, (3, 2)).astype(np.float32)
        metric.update(Pose(truth[order], np.ones(3, np.float32)), Keypoints(truth, np.ones(3, bool), 100.0))
    found = metric.evaluate()
    assert ["Near chance" in warning for warning in found.warnings] == [True] * warns


def test_few_keypoints_are_no_reason_to_doubt() -> None:
    metric = PckMetric(default_class_table(2))
    far = Pose(np.full((2, 2), 90, np.float32), np.ones(2))
    metric.update(far, Keypoints(np.zeros((2, 2)), np.array([True, False]), 9.0))
    found = metric.evaluate()
    assert found.warnings == ()
    assert found.notes == ("Nobody labelled: class_1.",)


def test_keypoints_of_one_name_stay_apart() -> None:
    metric = PckMetric(ClassTable(("wrist", "wrist")))
    metric.update(
        Pose(np.zeros((2, 2), np.float32), np.ones(2)),
        Keypoints(np.array([[0, 0], [9, 9]]), np.array([True, True]), 5.0),
    )
    assert metric.evaluate().per_class.values == {"wrist (0)": 1.0, "wrist (1)": 0.0}


def test_nobody_was_labelled() -> None:
    metric = PckMetric(default_class_table(1))
    metric.update(Pose(np.zeros((1, 2), np.float32), np.ones(1)), Keypoints(np.zeros((1, 2)), np.array([False]), 5.0))
    assert not metric.evaluate().headline.is_number


def test_a_prediction_as_the_truth() -> None:
    pose = Pose(np.array([[3, 4], [9, 40], [-1, -1]], np.float32), np.array([1, 0.5, 0], np.float32))
    target = PoseTask().as_target(pose, None)
    assert target.is_labelled.tolist() == [True, True, False]
    assert target.person_px == 36
    assert PoseTask().as_target(pose, Box(0, 0, 10, 90)).person_px == 90
    assert PoseTask().classes_in(target) == {0, 1}


def test_drawing() -> None:
    image = np.zeros((90, 120, 3), np.uint8)
    pose = Pose(np.array([[60, 45], [20, 20]], np.float32), np.array([1, 0], np.float32))
    metadata = make_metadata(OutputKind.HEATMAPS, task=TaskName.POSE)
    classes = metadata.classes
    drawn = PoseTask().draw(image, pose, metadata, legend=False)
    assert image.max() == 0
    assert drawn[45, 60].tolist() == list(classes.palette[0])
    assert drawn[20, 20].max() == 0, "what was not found is not drawn"
    assert (PoseTask().draw(image, pose, metadata) > 0).sum() > (drawn > 0).sum(), "its name stands beside it"


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.tuples(*[st.floats(0, 60)] * 2), st.tuples(*[st.floats(20, 90)] * 2))
def test_known_keypoints_are_recovered(seed: int, corner: tuple[float, float], extent: tuple[float, float]) -> None:
    """Gaussians around keypoints between cells: a quarter of a cell is at most half a pixel of these pictures."""
    crop = Crop.around(Box(*corner, corner[0] + extent[0], corner[1] + extent[1]), SIZE)
    assert max(crop.extent_xy[0] / SIZE.width, crop.extent_xy[1] / SIZE.height) <= 0.5
    height, width = SIZE.height // 4, SIZE.width // 4
    cells = np.random.default_rng(seed).uniform((3, 3), (width - 4, height - 4), (17, 2))
    rows, columns = np.mgrid[:height, :width]
    squared = (columns - cells[:, 0, None, None]) ** 2 + (rows - cells[:, 1, None, None]) ** 2
    found, scores = decode_heatmaps(np.exp(-squared / (2 * 3**2)).astype(np.float32))
    expected = crop.to_picture((cells * 4).astype(np.float32))
    assert scores.min() > 0.95
    assert np.abs(crop.to_picture(found * 4) - expected).max() <= 0.5
