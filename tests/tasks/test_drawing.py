"""What every task draws of errors and of the truth."""

from __future__ import annotations

import numpy as np

from segpp_deploy.data.datasets.keypoints import Keypoints
from segpp_deploy.tasks.pose.prediction import Pose
from segpp_deploy.tasks.pose.task import PoseTask
from segpp_deploy.tasks.protocol.drawing import ERROR_RGB, fade
from segpp_deploy.tasks.segmentation.prediction import Segmentation
from segpp_deploy.tasks.segmentation.task import SegmentationTask
from tests.support.tiny_graphs import tiny_metadata

IMAGE = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
METADATA = tiny_metadata(num_classes=2)
IGNORED = 255


def test_wrong_pixels_are_red_on_the_pale_picture() -> None:
    truth, found = np.zeros((60, 80), np.uint8), np.zeros((60, 80), np.uint8)
    truth[:, 40:] = 1
    truth[:10] = IGNORED
    found[30:] = 1
    drawn = SegmentationTask().draw_errors(IMAGE, Segmentation(found), truth)
    is_red = (drawn == ERROR_RGB).all(axis=2)
    wrong = np.zeros((60, 80), bool)
    wrong[30:, :40] = wrong[10:30, 40:] = True
    assert (is_red == wrong).all()
    assert (drawn[~wrong] == fade(IMAGE)[~wrong]).all()


def test_the_truth_is_drawn_as_a_prediction_of_it() -> None:
    truth = np.zeros((60, 80), np.uint8)
    truth[:, 40:] = 1
    task = SegmentationTask()
    for legend in (False, True):
        expected = task.draw(IMAGE, Segmentation(truth), METADATA, legend=legend)
        assert (task.draw_target(IMAGE, truth, METADATA, legend=legend) == expected).all()


def pose(*points: tuple[float, float]) -> Pose:
    return Pose(np.array(points, np.float32), np.ones(len(points), np.float32))


def test_keypoints_are_joined_with_where_they_were_found() -> None:
    truth = Keypoints(np.array([(10, 10), (70, 10)], np.float32), np.array([True, False]), 60.0)
    drawn = PoseTask().draw_errors(IMAGE, pose((10, 50), (70, 50)), truth)
    assert np.abs(drawn[30, 10].astype(int) - ERROR_RGB).max() < 40, "on the line, whose edges are smooth"
    changed = (drawn != fade(IMAGE)).any(axis=2)
    assert not changed[:, 40:].any(), "nobody labelled the other one"
    near = PoseTask().draw_errors(IMAGE, pose((10, 12), (70, 50)), truth)
    assert (near == fade(IMAGE)).all(), "near enough"


def test_labelled_keypoints_are_drawn_as_found_ones() -> None:
    truth = Keypoints(np.array([(10, 10), (70, 10)], np.float32), np.array([True, True]), 60.0)
    task = PoseTask()
    expected = task.draw(IMAGE, pose((10, 10), (70, 10)), METADATA, legend=False)
    assert (task.draw_target(IMAGE, truth, METADATA, legend=False) == expected).all()
