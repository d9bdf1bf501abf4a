"""Formats beside PNG and JPEG: what is read of them, and what is said of those that are not read."""

from __future__ import annotations

import shlex
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from segpp_deploy.data import other_pictures
from segpp_deploy.data.findings import collect_findings
from segpp_deploy.data.image_formats import count_pictures, describe_unsupported
from segpp_deploy.data.images import list_images, read_image, write_image
from segpp_deploy.errors import SegppError, UnreadableFileError
from tests.support.requirements import needs, require
from tests.support.video_files import cut, encode, flat_frames

RGB = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (40, 60, 3)).astype(np.uint8), (0, 0), 5)


def write_heif(path: Path) -> Path:
    heif = require("pillow_heif")
    heif.from_bytes("RGB", RGB.shape[1::-1], RGB.tobytes()).save(path, quality=95)
    return path


# --- what is read


def test_the_first_picture_of_a_gif(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.gif", flat_frames(3), "gif", "rgb8")
    with collect_findings() as findings:
        image = read_image(path)
    assert np.abs(image.astype(int) - flat_frames(1)[0]).mean() < 25
    assert findings.notes() == ("Only the first picture of 1 file is read (a.gif: 1 of 3).",)
    with pytest.raises(UnreadableFileError, match="not a readable image"):
        read_image(cut(path, 0.3))


@needs("pillow_heif")
def test_heic(tmp_path: Path) -> None:
    path = write_heif(tmp_path / "a.HEIC")
    assert np.abs(read_image(path).astype(int) - RGB).mean() < 5
    assert list_images(tmp_path) == [path]
    with pytest.raises(UnreadableFileError, match="not a readable image"):
        read_image(cut(path, 0.6))


@needs("pillow_heif")
def test_avif(tmp_path: Path) -> None:
    import PIL.Image

    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # stored turned a quarter to the left
    PIL.Image.fromarray(RGB).rotate(90, expand=True).save(tmp_path / "a.avif", quality=95, exif=exif)
    assert np.abs(read_image(tmp_path / "a.avif").astype(int) - RGB).mean() < 5
    with pytest.raises(UnreadableFileError, match="not a readable image"):
        read_image(cut(tmp_path / "a.avif", 0.6))


@needs("pillow_heif")
def test_heic_turned(tmp_path: Path) -> None:
    heif = require("pillow_heif")
    turned = np.ascontiguousarray(np.rot90(RGB))
    picture = heif.from_bytes("RGB", turned.shape[1::-1], turned.tobytes())
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    picture.save(tmp_path / "a.heic", quality=95, exif=exif)
    assert np.abs(read_image(tmp_path / "a.heic").astype(int) - RGB).mean() < 5


@needs("pillow_heif")
def test_heic_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_heif(tmp_path / "a.heic")
    write_image(tmp_path / "b.png", RGB)
    monkeypatch.setattr(other_pictures.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnreadableFileError, match="needs pillow-heif") as caught:
        read_image(path)
    assert caught.value.fix == "pip install 'segpp-deploy[heic]'"
    with collect_findings() as findings:
        assert [found.name for found in list_images(tmp_path)] == ["b.png"]
    assert findings.notes() == (f"Not read in {tmp_path}: .heic: 1 (a.heic; pip install 'segpp-deploy[heic]').",)


@pytest.mark.parametrize("suffix", [".gif", ".heic", ".avif"])
def test_what_is_read_is_not_always_written(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(SegppError, match="Cannot write a picture named"):
        write_image(tmp_path / f"a{suffix}", RGB)


# --- how many there are


def test_pages_of_a_tiff(tmp_path: Path) -> None:
    assert cv2.imwritemulti(str(tmp_path / "a.tif"), [RGB[..., ::-1], 255 - RGB, RGB])
    with collect_findings() as findings:
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), RGB)
    assert findings.first_of_many == {tmp_path / "a.tif": 3}


def test_counts_of_animations() -> None:
    animation = struct.pack(">I4sII", 8, b"acTL", 4, 0) + bytes(4)
    png = cv2.imencode(".png", RGB)[1].tobytes()
    assert count_pictures(png) == 1
    assert count_pictures(png[:33] + animation + png[33:]) == 4
    chunks = b"".join(struct.pack("<4sI", name, 3) + b"abc\0" for name in (b"VP8X", b"ANMF", b"ANMF"))
    assert count_pictures(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks) == 2
    assert count_pictures(cv2.imencode(".webp", RGB)[1].tobytes()) == 1


@pytest.mark.parametrize(
    "start", [b"GIF89a", b"II*\0", b"MM\0*", b"RIFF\0\0\0\0WEBP", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]
)
def test_counting_takes_anything(start: bytes) -> None:
    random = np.random.default_rng(0)
    for length in range(0, 60, 3):
        data = start + random.integers(0, 256, length).astype(np.uint8).tobytes()
        assert count_pictures(data) >= 1
        describe_unsupported(data)


# --- what is not supported


@pytest.mark.parametrize(("scale", "kind"), [(1 / 255, np.float32), (1, np.float32), (1, np.float64), (100, np.int32)])
def test_other_samples_are_unsupported_and_the_fix_works(tmp_path: Path, scale: float, kind: type) -> None:
    path = tmp_path / "it's a.tif"
    plain = [cv2.IMWRITE_TIFF_COMPRESSION, 1]  # some versions compress such samples with loss
    assert cv2.imwrite(str(path), (RGB[..., ::-1].astype(float) * scale).astype(kind), plain)
    with pytest.raises(UnreadableFileError, match=r"is a TIFF with .*, which is not supported") as caught:
        read_image(path)
    command, option, program = shlex.split(caught.value.fix)
    assert (command, option) == ("python", "-c")
    exec(program)
    converted = read_image(path.with_suffix(".png")).astype(float)
    brightest = 255 / RGB.max() if scale > 1 else 1
    assert np.abs(converted - RGB * brightest).max() <= 2


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7", "PDF"),
        (b"\xff\x0a\x00", "JPEG XL"),
        (bytes(128) + b"DICM", "DICOM"),
        (b"\0\0\0\x18ftypcrx " + bytes(9), "raw file"),
        (b"\xff\xd8\xff\xc1\x00\x0b\x0c\x00\x08\x00\x08" + bytes(9), "12 bits a sample"),
    ],
)
def test_foreign_files_are_named(tmp_path: Path, data: bytes, kind: str) -> None:
    assert kind in (describe_unsupported(data) or "")
    if not data.startswith(b"\xff\xd8"):
        (tmp_path / "a.png").write_bytes(data)
        with pytest.raises(UnreadableFileError, match="which is not supported") as caught:
            read_image(tmp_path / "a.png")
        assert "magick" in caught.value.fix


@pytest.mark.parametrize("suffix", [".tif", ".bmp", ".webp"])
def test_what_is_cut_is_damaged(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / f"a{suffix}", RGB)
    with pytest.raises(UnreadableFileError, match="is not a readable image"):
        read_image(cut(tmp_path / f"a{suffix}", 0.5))
