"""Labels agree with PyTorch's resize, and the argmax comes after the upsampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segpp_deploy.config import OutputKind, Size
from segpp_deploy.data.label_maps import MAX_BYTE_CLASSES, ignore_index, ignored_label
from segpp_deploy.ops import upsample_argmax
from segpp_deploy.tasks.segmentation import prediction as labels_module
from segpp_deploy.tasks.segmentation.prediction import argmax_lowest, labels_from_output, resize_logits_rows
from tests.data.geometry.test_whole import torch_resize

SIDES = st.integers(1, 40)


@settings(max_examples=60, deadline=None)
@given(source=st.tuples(SIDES, SIDES), target=st.tuples(SIDES, SIDES))
def test_upsampling_is_torch_bilinear(source: tuple[int, int], target: tuple[int, int]) -> None:
    logits = np.random.default_rng(0).standard_normal((3, *source)).astype(np.float32)
    size = Size(*target)
    rows = resize_logits_rows(logits, size, 0, size.height)
    np.testing.assert_allclose(rows, torch_resize(logits, size), atol=2e-5)


def test_strips_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = np.random.default_rng(0).standard_normal((5, 9, 13)).astype(np.float32)
    size = Size(37, 51)
    whole = labels_from_output(logits, OutputKind.LOGITS, size)
    monkeypatch.setattr(labels_module, "_STRIP_BYTES", 1)
    np.testing.assert_array_equal(labels_from_output(logits, OutputKind.LOGITS, size), whole)
    np.testing.assert_array_equal(whole, torch_resize(logits, size).argmax(axis=0))


def test_logits_are_upsampled_before_the_argmax() -> None:
    # Between a strong class 0 and a strong class 2, class 1 wins only after interpolation.
    logits = np.array([[[9.0, 0.0]], [[6.0, 6.0]], [[0.0, 9.0]]], np.float32)
    labels = labels_from_output(logits, OutputKind.LOGITS, Size(1, 8))
    assert labels[0].tolist() == [0, 0, 0, 1, 1, 2, 2, 2]


def test_ties_go_to_the_lowest_class() -> None:
    scores = np.array([[0, 1, 1], [2, 1, 0], [2, 1, 1]], np.float32)
    assert argmax_lowest(scores).tolist() == [1, 0, 0]


@pytest.mark.parametrize("classes", [255, 256, 300])
def test_many_classes(classes: int) -> None:
    logits = np.zeros((classes, 1, 2), np.float32)
    logits[-1, 0, 1] = 1
    labels = labels_from_output(logits, OutputKind.LOGITS, Size(1, 2))
    assert labels.tolist() == [[0, classes - 1]]
    assert labels.dtype == (np.uint8 if classes == 255 else np.uint16)
    assert ignored_label(labels) == ignore_index(classes) > labels.max()


def test_more_classes_than_two_bytes_number() -> None:
    with pytest.raises(ValueError, match="65536 classes"):
        argmax_lowest(np.zeros((65536, 1), np.float32))


def test_graphs_and_label_maps_agree_on_what_bytes_number() -> None:
    assert upsample_argmax.MAX_CLASSES == MAX_BYTE_CLASSES


def test_half_precision_logits() -> None:
    logits = np.random.default_rng(0).standard_normal((4, 6, 6)).astype(np.float16)
    np.testing.assert_array_equal(
        labels_from_output(logits, OutputKind.LOGITS, Size(24, 24)),
        labels_from_output(logits.astype(np.float32), OutputKind.LOGITS, Size(24, 24)),
    )


@settings(max_examples=40, deadline=None)
@given(source=st.tuples(SIDES, SIDES), target=st.tuples(SIDES, SIDES))
@example(source=(1, 18), target=(1, 33))  # a centre exactly on a pixel border
def test_labels_go_to_the_nearest_pixel_centre(source: tuple[int, int], target: tuple[int, int]) -> None:
    labels = np.random.default_rng(0).integers(0, 19, source).astype(np.uint8)
    resized = labels_from_output(labels, OutputKind.LABELS, Size(*target))
    for y in range(target[0]):
        for x in range(target[1]):  # in integers, so that no rounding can hide
            row = (2 * y + 1) * source[0] // (2 * target[0])
            column = (2 * x + 1) * source[1] // (2 * target[1])
            assert resized[y, x] == labels[row, column]


def test_labels_of_the_right_size_are_kept() -> None:
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(labels_from_output(labels, OutputKind.LABELS, Size(3, 4)), labels)
