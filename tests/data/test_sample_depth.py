"""Sixteen-bit files of cameras with fewer bits are as bright as they should be; all others keep their upper byte."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from segpp_deploy.data.findings import Findings, collect_findings
from segpp_deploy.data.images import read_image
from segpp_deploy.data.sample_depth import bits_used

RAMP = np.linspace(0, 255, 40 * 30).reshape(40, 30, 1).repeat(3, axis=2)


def write(path: Path, samples: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), samples.astype(np.uint16))
    return path


def read(path: Path) -> tuple[np.ndarray, Findings]:
    with collect_findings() as findings:
        return read_image(path), findings


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_lower_bits_are_scaled_and_said(tmp_path: Path, bits: int, suffix: str) -> None:
    path = write(tmp_path / f"a{suffix}", RAMP * ((1 << bits) - 1) / 255)
    image, findings = read(path)
    assert np.abs(image.astype(int) - RAMP).max() <= 1
    assert findings.notes() == (
        f"Read as {bits}-bit values, {1 << (16 - bits)} times as bright, because the upper of 16 bits are never used: "
        f"1 file (a{suffix}).",
    )


@pytest.mark.parametrize("brightness", [1.0, 0.2])
@pytest.mark.parametrize("bits", [8, 12, 14, 16])
def test_upper_bits_stay(tmp_path: Path, bits: int, brightness: float) -> None:
    values = np.round(RAMP * brightness / 255 * ((1 << bits) - 1)).astype(np.uint16)
    image, findings = read(write(tmp_path / "a.png", values << (16 - bits)))
    if bits < 16 or brightness == 1:  # a dark picture that uses all of the lower bits looks like a camera's
        np.testing.assert_array_equal(image, (values << (16 - bits)) >> 8)
        assert findings.notes() == ()


def test_eight_bits_stretched_to_sixteen_stay(tmp_path: Path) -> None:
    dark = np.round(RAMP / 8).astype(np.uint16)
    np.testing.assert_array_equal(read(write(tmp_path / "a.png", dark * 257))[0], dark)


def test_a_dark_picture_is_scaled_like_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path / "day.png", RAMP * 4095 / 255)
    write(tmp_path / "other.png", RAMP * 65535 / 255)
    image, findings = read(write(tmp_path / "night.png", RAMP * 3))
    assert np.abs(image.astype(int) - RAMP * 3 / 16).max() <= 1
    assert list(findings.scaled) == [12]


def test_black_stays_black(tmp_path: Path) -> None:
    image, findings = read(write(tmp_path / "a.png", RAMP * 0))
    assert not image.any()
    assert findings.notes() == ()


def test_bits_used() -> None:
    found = [bits_used(np.array([value], np.uint16)) for value in (0, 255, 256, 1023, 1024, 4095, 4097, 16383, 16384)]
    assert found == [8, 8, 10, 10, 12, 12, 14, 14, 16]
