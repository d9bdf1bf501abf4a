"""Pictures are resized as PyTorch does it, and normalised."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from segpp_deploy.config import InputKind, Normalization, Size
from segpp_deploy.data.geometry.whole import prepare

NORMALIZATION = Normalization()


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


def test_prepare_leaves_the_values_of_bytes() -> None:
    image = random_image(8, 8)
    prepared = prepare(image, Size(8, 8), InputKind.FLOAT255, NORMALIZATION)
    assert prepared.dtype == np.float32
    assert prepared.flags.c_contiguous
    np.testing.assert_array_equal(prepared, image.transpose(2, 0, 1))


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_prepare_checks_its_input(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        prepare(image, Size(4, 4), InputKind.UINT8, NORMALIZATION)
