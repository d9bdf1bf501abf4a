"""The EXIF orientation is found in every format, and turns arrays as the decoder turns pictures."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from segpp_deploy.data.images import read_image
from segpp_deploy.data.orientation import Orientation, read_orientation
from tests.data.exif import jpeg_with_exif, png_with_exif, tiff_block, webp_with_exif

CORNERS = np.kron(np.array([[255, 0, 90], [170, 30, 60]], np.uint8), np.ones((16, 16), np.uint8))


@pytest.mark.parametrize("orientation", list(Orientation))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", "bare.webp"])
def test_arrays_are_turned_as_pictures_are(suffix: str, orientation: Orientation, tmp_path: Path) -> None:
    picture = np.repeat(CORNERS[..., None], 3, axis=2)
    path = tmp_path / f"a{suffix}"
    data = cv2.imencode(path.suffix, picture)[1].tobytes()
    if path.suffix == ".webp":
        path.write_bytes(webp_with_exif(data, orientation, CORNERS.shape, extended=suffix == ".webp"))
    else:
        path.write_bytes((jpeg_with_exif if suffix == ".jpg" else png_with_exif)(data, orientation))
    assert read_orientation(path) is orientation
    upright = orientation.turn(CORNERS)
    seen = read_image(path)[..., 0]
    assert upright.shape == seen.shape
    assert np.abs(upright.astype(int) - seen).max() < 25  # JPEG


@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_and_webp(order: str, tmp_path: Path) -> None:
    block = tiff_block(Orientation.TURN_HALF, order)
    (tmp_path / "a.tif").write_bytes(block)
    assert read_orientation(tmp_path / "a.tif") is Orientation.TURN_HALF
    for body in (block, b"Exif\0\0" + block):
        chunks = b"VP8 \x03\0\0\0abc\0" + b"EXIF" + struct.pack("<I", len(body)) + body
        (tmp_path / "a.webp").write_bytes(b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks)
        assert read_orientation(tmp_path / "a.webp") is Orientation.TURN_HALF


def test_files_that_state_none(tmp_path: Path) -> None:
    jpeg = jpeg_with_exif(cv2.imencode(".jpg", CORNERS)[1].tobytes(), 6)
    contents = [b"", b"II", b"MM\0+\0\0\0\x08", jpeg[:20], jpeg_with_exif(jpeg, 9), cv2.imencode(".png", CORNERS)[1]]
    for content in contents:
        (tmp_path / "a").write_bytes(bytes(content))
        assert read_orientation(tmp_path / "a") is Orientation.NONE
    assert read_orientation(tmp_path / "none.jpg") is Orientation.NONE
