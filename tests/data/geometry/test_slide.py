"""Windows cover the picture and their logits add up to what a whole-picture pass would give."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from segpp_deploy.config import Normalization, Size
from segpp_deploy.data.geometry.slide import Window, cut, windows
from segpp_deploy.errors import SegppError
from segpp_deploy.tasks.segmentation import prediction
from segpp_deploy.tasks.segmentation.prediction import labels_of_windows


def test_cityscapes_windows() -> None:
    boxes = windows(Size(1024, 2048), Size(1024, 1024), Size(768, 768))
    assert boxes == [Window(0, 0, 1024, 1024), Window(0, 768, 1024, 1792), Window(0, 1024, 1024, 2048)]


def test_exact_fit_has_no_extra_window() -> None:
    assert len(windows(Size(64, 64), Size(32, 32), Size(32, 32))) == 4
    assert windows(Size(32, 32), Size(32, 32), Size(8, 8)) == [Window(0, 0, 32, 32)]


@settings(max_examples=100, deadline=None)
@given(size=st.tuples(st.integers(1, 60), st.integers(1, 60)), window=st.integers(1, 30), data=st.data())
def test_windows_cover_everything_and_stay_inside(size: tuple[int, int], window: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, window))
    covered = np.zeros(size, int)
    boxes = windows(Size(*size), Size(window, window), Size(stride, stride))
    for box in boxes:
        assert box.bottom - box.top == min(window, size[0])
        assert box.right - box.left == min(window, size[1])
        covered[box.top : box.bottom, box.left : box.right] += 1
        assert box.bottom <= size[0]
        assert box.right <= size[1]
    assert covered.min() >= 1
    assert len(set(boxes)) == len(boxes)


@pytest.mark.parametrize("stride", [Size(0, 8), Size(8, 0), Size(33, 8)])
def test_stride_that_leaves_gaps(stride: Size) -> None:
    with pytest.raises(SegppError, match="does not fit window 32x32"):
        windows(Size(64, 64), Size(32, 32), stride)


def test_cut_pads_small_pictures_with_the_mean() -> None:
    image = np.full((4, 6, 3), 200, np.uint8)
    (box,) = windows(Size(4, 6), Size(8, 8), Size(8, 8))
    piece = cut(image, box, Size(8, 8), Normalization())
    assert piece.shape == (8, 8, 3)
    assert (piece[:4, :6] == 200).all()
    assert piece[7, 7].tolist() == [124, 116, 104]
    assert (piece[4:] == piece[7, 7]).all()


def test_cut_takes_the_box() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    piece = cut(image, Window(2, 5, 10, 13), Size(8, 8), Normalization())
    np.testing.assert_array_equal(piece, image[2:10, 5:13])
    assert piece.flags.c_contiguous


def test_windows_give_the_mean_of_upsampled_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    size, window = Size(20, 44), Size(16, 16)
    boxes = windows(size, window, Size(12, 12))
    rng = np.random.default_rng(0)
    outputs = [rng.standard_normal((3, 4, 4)).astype(np.float32) for _ in boxes]
    total, count = np.zeros((3, *size.hw)), np.zeros(size.hw)
    for box, logits in zip(boxes, outputs, strict=True):
        upsampled = interpolate(torch.from_numpy(logits)[None], window.hw, mode="bilinear")[0].numpy()
        total[:, box.top : box.bottom, box.left : box.right] += upsampled
        count[box.top : box.bottom, box.left : box.right] += 1
    expected = (total / count).argmax(axis=0)
    np.testing.assert_array_equal(labels_of_windows(boxes, outputs, size, window), expected)
    monkeypatch.setattr(prediction, "_STRIP_BYTES", 3 * 4 * 3 * size.width)  # strips of three rows cut windows apart
    np.testing.assert_array_equal(labels_of_windows(boxes, outputs, size, window), expected)


def test_padding_of_a_small_picture_is_cut_off() -> None:
    size, window = Size(4, 6), Size(8, 8)
    (box,) = windows(size, window, window)
    logits = np.zeros((2, 8, 8), np.float32)
    logits[1, :4, :6] = 1
    logits[0, 4:] = logits[0, :, 6:] = 5
    assert (labels_of_windows([box], [logits], size, window) == 1).all()
