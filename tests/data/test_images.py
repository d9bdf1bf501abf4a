"""Pictures come in as upright RGB bytes, labels as their exact indices, and anything else as one clear error."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from segpp_deploy.config import ClassTable
from segpp_deploy.data import images
from segpp_deploy.data.image_header import DamagedImageError, image_size, read_png_header
from segpp_deploy.data.images import list_images, read_image, read_labels, write_image, write_labels
from segpp_deploy.errors import SegppError
from tests.data.conftest import png_bytes
from tests.data.exif import jpeg_with_exif

RGB = np.random.default_rng(1).integers(0, 256, (20, 30, 3)).astype(np.uint8)
INDICES = np.random.default_rng(2).integers(0, 12, (20, 30)).astype(np.uint8)
PALETTE = (b"PLTE", np.random.default_rng(3).integers(0, 256, (16, 3)).astype(np.uint8).tobytes())


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


# --- pictures


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_lossless_picture_round_trip(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / f"a{suffix}", RGB)
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}"), RGB)


def test_jpeg_keeps_channel_order(tmp_path: Path) -> None:
    red = np.full((16, 16, 3), (200, 30, 10), np.uint8)
    write_image(tmp_path / "a.jpg", red)
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - red).max() <= 4


def test_grey_is_repeated(tmp_path: Path) -> None:
    image = read_image(write(tmp_path / "a.png", png_bytes(RGB[..., 0], 0)))
    np.testing.assert_array_equal(image, np.repeat(RGB[..., :1], 3, axis=2))


@pytest.mark.parametrize(("colour_type", "channels"), [(4, 1), (6, 3)])
def test_alpha_is_dropped(tmp_path: Path, colour_type: int, channels: int) -> None:
    alpha = np.random.default_rng(4).integers(0, 256, (20, 30, 1)).astype(np.uint8)
    data = png_bytes(np.concatenate([RGB[..., :channels], alpha], axis=2), colour_type)
    np.testing.assert_array_equal(
        read_image(write(tmp_path / "a.png", data)), np.broadcast_to(RGB[..., :channels], RGB.shape)
    )


def test_sixteen_bits_keep_the_upper_byte(tmp_path: Path) -> None:
    data = png_bytes(RGB.astype(np.uint16) * 256 + 99, 2, bit_depth=16)
    np.testing.assert_array_equal(read_image(write(tmp_path / "a.png", data)), RGB)


def test_palette_picture_is_resolved(tmp_path: Path) -> None:
    colours = np.frombuffer(PALETTE[1], np.uint8).reshape(-1, 3)
    data = png_bytes(INDICES, 3, extra=(PALETTE,))
    np.testing.assert_array_equal(read_image(write(tmp_path / "a.png", data)), colours[INDICES])


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    ramp = np.zeros((16, 32, 3), np.uint8)
    ramp[:, :16] = 255  # left half white
    image = read_image(write(tmp_path / "a.jpg", jpeg_with_exif(encoded(".jpg", ramp), 6)))
    assert image.shape == (32, 16, 3)
    assert image[:12].mean() > 250  # turned clockwise, left is up
    assert image[20:].mean() < 5


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
def test_truncated_picture(tmp_path: Path, suffix: str, kept: float, capfd: pytest.CaptureFixture[str]) -> None:
    data = encoded(suffix, np.repeat(np.repeat(RGB, 10, axis=0), 10, axis=1))
    path = write(tmp_path / f"cut{suffix}", data[: int(len(data) * kept)])
    with pytest.raises(SegppError, match=r"cut\.\w+ is not a readable image"):
        read_image(path)
    if suffix in (".png", ".jpg"):
        assert capfd.readouterr().err == "", "the decoder spoke beside our error"


def test_jpeg_without_its_end_is_refused() -> None:
    data = encoded(".jpg", RGB)
    assert image_size(data) == (20, 30)
    assert image_size(data + b"trailing bytes of a camera") == (20, 30)
    with pytest.raises(DamagedImageError, match="ends after"):
        image_size(data[:-2])


def test_jpeg_fill_bytes_and_other_formats() -> None:
    data = encoded(".jpg", RGB)
    assert image_size(data[:2] + b"\xff\xff" + data[2:]) == (20, 30)
    assert image_size(data[:2] + b"\xff\x01" + data[2:]) == (20, 30)
    assert image_size(encoded(".bmp", RGB)) is None


@pytest.mark.parametrize("content", [b"hello, I am a text file", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_not_an_image(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SegppError, match="not a readable image"):
        read_image(write(tmp_path / "a.png", content))


def test_damaged_png_is_named(tmp_path: Path) -> None:
    data = bytearray(png_bytes(RGB, 2))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(SegppError, match="checksum of chunk 'IDAT'"):
        read_image(write(tmp_path / "a.png", bytes(data)))


def test_png_must_begin_with_its_header() -> None:
    signature = b"\x89PNG\r\n\x1a\n"
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    with pytest.raises(DamagedImageError, match="IHDR"):
        read_png_header(signature + end)


def test_png_with_false_pixel_data(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", b"not zlib"), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in parts
    )
    for read in (read_image, read_labels):
        with pytest.raises(SegppError, match="no decoder can read it"):
            read(write(tmp_path / "a.png", data))


@pytest.mark.parametrize("read", [read_image, read_labels])
def test_missing_empty_and_directory(tmp_path: Path, read: Callable[[Path], np.ndarray]) -> None:
    with pytest.raises(SegppError, match="No such file"):
        read(tmp_path / "none.png")
    with pytest.raises(SegppError, match="0 bytes"):
        read(write(tmp_path / "empty.png", b""))
    with pytest.raises(SegppError, match="is a directory"):
        read(tmp_path)


def test_too_many_pixels_are_refused_before_decoding(tmp_path: Path) -> None:
    data = bytearray(png_bytes(np.zeros((2, 2), np.uint8), 0))
    data[16:24] = struct.pack(">II", 60000, 60000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    path = write(tmp_path / "bomb.png", bytes(data))
    for read in (read_image, read_labels):
        with pytest.raises(SegppError, match="60000 x 60000 pixels"):
            read(path)


def test_too_many_pixels_in_a_format_without_header_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(SegppError, match="30 x 20 pixels"):
        read_image(write(tmp_path / "a.bmp", encoded(".bmp", RGB)))


def test_too_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_FILE_BYTES", 10)
    with pytest.raises(SegppError, match="GB"):
        read_image(write(tmp_path / "a.png", png_bytes(RGB, 2)))


@settings(max_examples=60, deadline=None)
@given(flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=4))
def test_damage_never_escapes_as_another_error(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]]
) -> None:
    for suffix in (".png", ".jpg"):
        data = bytearray(encoded(suffix, RGB))
        for position, mask in flips:
            data[position % len(data)] ^= mask
        path = write(tmp_path_factory.getbasetemp() / f"damaged{suffix}", bytes(data))
        try:
            image = read_image(path)
        except SegppError:
            continue
        assert image.dtype == np.uint8
        assert image.shape[2] == 3


@pytest.mark.parametrize("place", ["cv2.utils.logging", "cv2", "nowhere"])
def test_every_opencv_reads_and_is_quiet(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = [3]
    log = {"getLogLevel": lambda: levels[-1], "setLogLevel": levels.append}
    at_home = SimpleNamespace(logging=SimpleNamespace(**log)) if place == "cv2.utils.logging" else SimpleNamespace()
    monkeypatch.setattr(images.cv2, "utils", at_home)
    for name, function in log.items():
        monkeypatch.delattr(images.cv2, name, raising=False)
        if place == "cv2":
            monkeypatch.setattr(images.cv2, name, function, raising=False)
    write_image(tmp_path / "a.png", RGB)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)
    assert levels == ([3] if place == "nowhere" else [3, 0, 3])


def test_write_image_refuses_unknown_suffix(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match=r"named 'a\.xyz'"):
        write_image(tmp_path / "a.xyz", RGB)
    assert list(tmp_path.iterdir()) == []


# --- lists


def test_list_images(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", ".hidden.png", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    assert [p.name for p in list_images(tmp_path)] == ["a.png", "b.JPG"]
    assert list_images(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]


def test_list_images_errors(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="No such file or directory"):
        list_images(tmp_path / "none")
    with pytest.raises(SegppError, match="No pictures in"):
        list_images(tmp_path)


# --- labels


@settings(max_examples=25, deadline=None)
@given(labels=npst.arrays(np.uint8, npst.array_shapes(min_dims=2, max_dims=2, max_side=20)), palette=st.booleans())
def test_labels_round_trip(tmp_path_factory: pytest.TempPathFactory, labels: np.ndarray, palette: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "labels.png"
    write_labels(path, labels, ClassTable(("a", "b"), ((1, 2, 3), (250, 0, 9))) if palette else None)
    np.testing.assert_array_equal(read_labels(path), labels)


def test_written_palette_shows_the_class_colours(tmp_path: Path) -> None:
    labels = np.array([[0, 1, 255]], np.uint8)
    write_labels(tmp_path / "a.png", labels, ClassTable(("a", "b"), ((1, 2, 3), (250, 0, 9))))
    assert read_image(tmp_path / "a.png").tolist() == [[[1, 2, 3], [250, 0, 9], [0, 0, 0]]]


@pytest.mark.parametrize("bit_depth", [4, 8])
@pytest.mark.parametrize("extra", [(PALETTE,), (PALETTE, (b"tRNS", b"\x00\x80\xff"))])
def test_palette_labels_keep_their_indices(
    tmp_path: Path, bit_depth: int, extra: tuple[tuple[bytes, bytes], ...]
) -> None:
    path = write(tmp_path / "a.png", png_bytes(INDICES, 3, bit_depth, extra))
    np.testing.assert_array_equal(read_labels(path), INDICES)


@pytest.mark.parametrize("bit_depth", [1, 2, 4, 8, 16])
def test_grey_labels_are_not_scaled(tmp_path: Path, bit_depth: int) -> None:
    labels = np.random.default_rng(5).integers(0, min(1 << bit_depth, 256), (9, 13))
    path = write(tmp_path / "a.png", png_bytes(labels, 0, bit_depth))
    np.testing.assert_array_equal(read_labels(path), labels)


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_labels_with_equal_channels(tmp_path: Path, colour_type: int, channels: int) -> None:
    samples = np.repeat(INDICES[..., None], channels, axis=2)
    path = write(tmp_path / "a.png", png_bytes(samples, colour_type))
    np.testing.assert_array_equal(read_labels(path), INDICES)


def test_colour_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="colour picture"):
        read_labels(write(tmp_path / "a.png", png_bytes(RGB, 2)))


@pytest.mark.parametrize("classes", [None, ClassTable(tuple(map(str, range(300))))])
def test_labels_of_two_bytes_round_trip(tmp_path: Path, classes: ClassTable | None) -> None:
    labels = np.array([[0, 255, 256], [299, 26001, 65535]], np.uint16)
    write_labels(tmp_path / "a.png", labels, classes)
    header = read_png_header((tmp_path / "a.png").read_bytes())
    assert (header.bit_depth, header.colour_type) == (16, 0)
    found = read_labels(tmp_path / "a.png")
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, labels)


def test_lossy_or_damaged_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="not a PNG file"):
        read_labels(write(tmp_path / "a.jpg", encoded(".jpg", INDICES)))
    with pytest.raises(SegppError, match="ends after"):
        read_labels(write(tmp_path / "a.png", png_bytes(INDICES, 0)[:-20]))


def test_write_labels_refuses_what_would_alter_them(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match=r"named 'a\.jpg'"):
        write_labels(tmp_path / "a.jpg", INDICES)
    with pytest.raises(ValueError, match=r"uint8 \[H, W\]"):
        write_labels(tmp_path / "a.png", RGB)
    assert list(tmp_path.iterdir()) == []
