from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.config import Size
from segpp_deploy.data.scenes import HELD_OUT_SEED, SCENE_CLASSES, SceneClass, generate_scene
from segpp_deploy.data.scenes.camera import NEAR_M, Camera
from segpp_deploy.data.scenes.canvas import Canvas, polygon_coverage
from segpp_deploy.data.scenes.generator import DEFAULT_SCENE_SIZE
from segpp_deploy.data.scenes.layout import sample_layout
from segpp_deploy.data.scenes.lighting import Weather

SMALL = Size(128, 256)


def test_same_seed_gives_the_same_bytes() -> None:
    first, second = generate_scene(11, SMALL), generate_scene(11, SMALL)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.labels, second.labels)


def test_a_scene_does_not_depend_on_the_scenes_before_it() -> None:
    expected = generate_scene(12, SMALL)
    generate_scene(99, Size(64, 64))
    assert np.array_equal(generate_scene(12, SMALL).image, expected.image)


def test_other_seeds_give_other_scenes() -> None:
    first, second = generate_scene(1, SMALL), generate_scene(2, SMALL)
    assert np.mean(first.labels != second.labels) > 0.1


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2 * HELD_OUT_SEED),
    height=st.integers(32, 160),
    width=st.integers(32, 200),
)
def test_any_seed_and_size_is_a_valid_scene(seed: int, height: int, width: int) -> None:
    scene = generate_scene(seed, Size(height, width))
    assert scene.image.shape == (height, width, 3)
    assert scene.image.dtype == np.uint8
    assert scene.labels.shape == (height, width)
    assert scene.labels.dtype == np.uint8
    assert scene.labels.max() < len(SCENE_CLASSES)
    assert scene.image.std() > 5  # a picture, not a flat area


def test_every_class_appears_in_a_few_scenes() -> None:
    found = set()
    for seed in range(12):
        found |= set(np.unique(generate_scene(seed, Size(192, 384)).labels).tolist())
    assert found == set(SceneClass)


def test_class_table_follows_the_enum() -> None:
    assert SCENE_CLASSES.names[SceneClass.LANE_MARKING] == "lane marking"
    assert len(set(SCENE_CLASSES.palette)) == len(SCENE_CLASSES) == len(SceneClass)


@pytest.mark.parametrize("seed", [0, 5, HELD_OUT_SEED])
def test_a_seed_shows_the_same_street_at_every_size(seed: int) -> None:
    large = generate_scene(seed, Size(256, 512)).labels[::2, ::2]
    small = generate_scene(seed, Size(128, 256)).labels
    assert np.mean(large == small) > 0.93


def test_image_and_labels_are_aligned() -> None:
    """Label borders lie on image edges: labels moved sideways lie on flatter places."""
    contrast = dict.fromkeys((-4, 0, 4), 0.0)
    for seed in range(4):
        scene = generate_scene(seed, DEFAULT_SCENE_SIZE)
        grey = scene.image.mean(axis=2)
        for shift in contrast:
            contrast[shift] += _border_contrast(grey, np.roll(scene.labels, shift, axis=1))
    assert contrast[0] > 1.15 * max(contrast[-4], contrast[4])


def _border_contrast(grey: np.ndarray, labels: np.ndarray) -> float:
    """Mean image difference across vertical label borders, two pixels to each side."""
    inner = slice(8, -8)
    borders = labels[:, :-1] != labels[:, 1:]
    rows, columns = np.nonzero(borders[:, inner])
    columns = columns + 8
    return float(np.abs(grey[rows, columns + 2] - grey[rows, columns - 1]).mean())


def test_sky_is_above_and_ground_below_the_horizon() -> None:
    for seed in range(5):
        labels = generate_scene(seed, SMALL).labels
        assert not np.any(labels[-1] == SceneClass.SKY)
        assert not np.any(labels[0] == SceneClass.ROAD)


def test_classes_cannot_be_told_apart_by_colour() -> None:
    """The best guess from the colour alone, learnt on the same pictures, stays far from the truth."""
    cells, labels = [], []
    for seed in range(8):
        scene = generate_scene(seed, Size(192, 384))
        quantised = (scene.image // 32).astype(np.int64)
        cells.append((quantised[..., 0] * 64 + quantised[..., 1] * 8 + quantised[..., 2]).ravel())
        labels.append(scene.labels.ravel())
    cell, label = np.concatenate(cells), np.concatenate(labels).astype(np.int64)
    table = np.bincount(cell * 10 + label, minlength=512 * 10).reshape(512, 10)
    assert table.max(axis=1).sum() / len(label) < 0.75


def test_all_kinds_of_light_occur() -> None:
    kinds = {sample_layout(np.random.default_rng([seed, 0])).light.weather for seed in range(40)}
    assert kinds == set(Weather)


def test_camera_projects_a_known_point() -> None:
    camera = Camera(Size(100, 200), focal_px=100, centre_u=100, horizon_v=40, height_m=1.5)
    pixels = camera.project(np.array([[1.0, 0.0, 10.0], [0.0, 1.5, 50.0], [1.0, 0.0, -5.0]]))
    assert pixels[0] == pytest.approx([110, 55])
    assert pixels[1] == pytest.approx([100, 40])
    assert pixels[2] == pytest.approx([100 + 100 / NEAR_M, 40 + 150 / NEAR_M])


def test_ground_depth_is_the_inverse_of_projection() -> None:
    camera = Camera(Size(100, 200), focal_px=100, centre_u=100, horizon_v=40, height_m=1.5)
    row = camera.project(np.array([[0.0, 0.0, 12.0]]))[0, 1]
    assert camera.row_depth_m(np.array([row - 0.5], np.float32)) == pytest.approx([12.0], rel=1e-4)


def test_canvas_labels_exactly_the_pixels_that_are_mostly_covered() -> None:
    canvas = Canvas.blank(Size(20, 20))
    square = np.array([(4.0, 4.0), (4.0, 12.0), (12.0, 12.0), (12.0, 4.0)])
    canvas.fill(square, (255, 0, 0), SceneClass.CAR, 7.0)
    inside = canvas.labels == SceneClass.CAR
    assert inside[5:11, 5:11].all()
    assert not inside[:3].any()
    assert not inside[14:].any()
    assert np.array_equal(canvas.depth_m < 100, inside)


def test_canvas_ignores_polygons_outside_the_picture() -> None:
    canvas = Canvas.blank(Size(20, 20))
    before = canvas.image.copy()
    canvas.fill(np.array([(50.0, 50.0), (60.0, 50.0), (60.0, 60.0)]), (255, 0, 0), SceneClass.CAR, 7.0)
    assert np.array_equal(canvas.image, before)
    assert not polygon_coverage(np.array([(50.0, 50.0), (60.0, 50.0), (60.0, 60.0)]), (20, 20)).any()
