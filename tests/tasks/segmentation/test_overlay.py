"""The overlay tints classes, leaves ignored pixels alone, and names what occurs, at every size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.config import ClassTable, default_class_table
from segpp_deploy.tasks.segmentation.overlay import draw_overlay

CLASSES = ClassTable(("road", "sky", "tree"), ((200, 0, 0), (0, 200, 0), (0, 0, 200)))


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 100, np.uint8)


def test_tint_is_the_weighted_mean() -> None:
    labels = np.full((40, 60), 1, np.uint8)
    drawn = draw_overlay(grey(40, 60), labels, CLASSES, alpha=0.25, legend=False)
    assert (drawn == (75, 125, 75)).all()


def test_ignored_pixels_keep_the_picture() -> None:
    labels = np.full((40, 60), 255, np.uint8)
    labels[:, 20:40] = 0
    drawn = draw_overlay(grey(40, 60), labels, CLASSES, legend=False)
    assert (drawn[:, :20] == 100).all()
    assert (drawn[:, 21:40] == (150, 50, 50)).all()
    assert (drawn[:, 40:] == 100).all()


def test_labels_of_two_bytes() -> None:
    classes = default_class_table(300)
    labels = np.full((240, 320), 299, np.uint16)
    labels[:, :20] = 65535
    plain, named = (draw_overlay(grey(240, 320), labels, classes, alpha=1, legend=legend) for legend in (False, True))
    assert (plain[:, :20] == 100).all()
    assert (plain[:, 21:] == classes.palette[299]).all()
    assert (plain != named).any()


def test_regions_are_outlined() -> None:
    labels = np.zeros((40, 60), np.uint8)
    labels[:, 30:] = 1
    drawn = draw_overlay(grey(40, 60), labels, CLASSES, legend=False)
    assert (drawn[:, 30] < drawn[:, 31]).any(axis=1).all(), "the border is darker than the region"
    assert (drawn[:, 29] == drawn[:, 0]).all()


def test_outline_is_wider_on_large_pictures() -> None:
    labels = np.zeros((1000, 1000), np.uint8)
    labels[:, 500:] = 1
    drawn = draw_overlay(grey(1000, 1000), labels, CLASSES, legend=False)
    assert (drawn[0, 499] < drawn[0, 0]).any()
    assert (drawn[0, 498] == drawn[0, 0]).all()


def test_arguments_stay_untouched() -> None:
    image, labels = grey(200, 300), np.zeros((200, 300), np.uint8)
    draw_overlay(image, labels, CLASSES)
    assert (image == 100).all()
    assert (labels == 0).all()


def test_legend_shows_only_what_occurs() -> None:
    labels = np.zeros((200, 300), np.uint8)
    labels[:50] = 2
    labels[:5, :5] = 255
    drawn = draw_overlay(grey(200, 300), labels, CLASSES, alpha=0.5)
    panel = drawn[150:].reshape(-1, 3)
    shown = [index for index, colour in enumerate(CLASSES.palette) if (panel == colour).all(axis=1).any()]
    assert shown == [0, 2]
    assert (panel.min(axis=1) > 200).any(), "names are written in a light colour"


def test_legend_takes_at_most_its_share_and_keeps_the_rest_clean() -> None:
    classes = default_class_table(150)
    labels = (np.arange(200 * 300).reshape(200, 300) % 150).astype(np.uint8)
    plain = draw_overlay(grey(200, 300), labels, classes, legend=False)
    drawn = draw_overlay(grey(200, 300), labels, classes)
    touched = np.flatnonzero((plain != drawn).any(axis=(1, 2)))
    assert 0 < touched.size <= 0.4 * 200
    assert touched.min() >= 0.6 * 200


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90))
def test_any_size_works(height: int, width: int) -> None:
    labels = (np.arange(height * width).reshape(height, width) % 4).astype(np.uint8)
    drawn = draw_overlay(grey(height, width), labels, CLASSES)
    assert drawn.shape == (height, width, 3)
    assert drawn.dtype == np.uint8


def test_nothing_known_draws_no_legend() -> None:
    labels = np.full((100, 100), 255, np.uint8)
    assert (draw_overlay(grey(100, 100), labels, CLASSES) == 100).all()


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="differ in size"):
        draw_overlay(grey(4, 4), np.zeros((4, 5), np.uint8), CLASSES)
