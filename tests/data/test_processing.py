"""Pre- and post-processing agree with PyTorch's resize, and the argmax comes after the upsampling."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from segpp_deploy.config import InputKind, Normalization, OutputKind, Size
from segpp_deploy.data import processing
from segpp_deploy.data.processing import argmax_lowest, labels_from_output, prepare, resize_logits_rows
from segpp_deploy.errors import SegppError

NORMALIZATION = Normalization()
SIDES = st.integers(1, 40)


def torch_resize(array: np.ndarray, size: Size, mode: str = "bilinear") -> np.ndarray:
    corners = False if mode == "bilinear" else None
    source = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))[None]
    return interpolate(source, size.hw, mode=mode, align_corners=corners)[0].numpy()


def random_image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 100 + width).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_prepare_keeps_bytes_of_the_right_size() -> None:
    image = random_image(32, 64)
    np.testing.assert_array_equal(prepare(image, Size(32, 64), InputKind.UINT8, NORMALIZATION), image)


@pytest.mark.parametrize("size", [Size(64, 96), Size(48, 32), Size(17, 23)])
def test_prepare_resizes_as_torch_does(size: Size) -> None:
    image = random_image(32, 48)
    expected = torch_resize(image.transpose(2, 0, 1), size).transpose(1, 2, 0)
    resized = prepare(image, size, InputKind.UINT8, NORMALIZATION)
    assert resized.dtype == np.uint8
    assert np.abs(resized - expected).max() <= 1.0  # bytes: rounded, in fixed point


def test_prepare_normalises_floats() -> None:
    image = random_image(8, 8)
    prepared = prepare(image, Size(8, 8), InputKind.FLOAT, NORMALIZATION)
    assert prepared.shape == (3, 8, 8)
    assert prepared.dtype == np.float32
    assert prepared.flags.c_contiguous
    for channel in range(3):
        expected = (image[..., channel] - NORMALIZATION.mean[channel]) / NORMALIZATION.std[channel]
        np.testing.assert_allclose(prepared[channel], expected, atol=1e-6)


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_prepare_checks_its_input(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        prepare(image, Size(4, 4), InputKind.UINT8, NORMALIZATION)


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
    monkeypatch.setattr(processing, "_STRIP_BYTES", 1)
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


def test_many_classes() -> None:
    scores = np.zeros((255, 2), np.float32)
    scores[254, 1] = 1
    assert argmax_lowest(scores).tolist() == [0, 254]
    with pytest.raises(ValueError, match="256 classes"):
        argmax_lowest(np.zeros((256, 2), np.float32))


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


def test_heatmaps_are_refused() -> None:
    with pytest.raises(SegppError, match="heatmaps"):
        labels_from_output(np.zeros((17, 4, 4), np.float32), OutputKind.HEATMAPS, Size(16, 16))
