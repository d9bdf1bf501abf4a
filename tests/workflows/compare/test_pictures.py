from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from segpp_deploy.files import write_bytes
from segpp_deploy.workflows.compare import page
from segpp_deploy.workflows.compare.gallery import Gallery, Look, ShownSample, TokenPicture, View
from segpp_deploy.workflows.compare.pictures import draw_merges, encode_webp

GALLERY = Gallery(
    "model",
    "64x96",
    "original",
    (ShownSample("a", (View(Look.PICTURE, "", "a.webp"), View(Look.ERRORS, "fast", "b.webp", "50.00 %"))),),
    (TokenPicture("fast", 1, "kv", 10, 4, "c.webp"),),
    (("sky", "#0000ff"),),
)


def test_merged_tokens_have_their_mean_colour_and_lines_between_them() -> None:
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, :2], image[:, 2:] = 100, 200
    rows = np.array([[0, 1, 1, 2], [0, 3, 3, 2]])
    drawn = draw_merges(image, rows)
    scale = drawn.shape[0] // 2
    assert drawn.shape == (2 * scale, 4 * scale, 3)
    centres = drawn[scale // 2 :: scale, scale // 2 :: scale, 0]
    assert centres.tolist() == [[100, 150, 150, 200], [100, 150, 150, 200]]
    row = drawn[scale // 2, :, 0]
    assert (row[scale], row[2 * scale], row[3 * scale]) == (round(0.55 * 150), 150, round(0.55 * 200))
    assert drawn[scale, scale + 2, 0] == round(0.55 * 150)
    assert drawn[scale, 2, 0] == 100, "no line through a token that was merged"


def test_pictures_are_shrunk_and_never_enlarged() -> None:
    picture = np.full((40, 100, 3), (200, 30, 30), np.uint8)
    for width, expected in ((50, (20, 50)), (200, (40, 100))):
        decoded = cv2.imdecode(np.frombuffer(encode_webp(picture, width, 80), np.uint8), cv2.IMREAD_COLOR)
        assert decoded.shape[:2] == expected
        assert decoded[5, 5, 2] > 150 > decoded[5, 5, 0], "red stays red"


def test_a_gallery_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert Gallery.from_dict(GALLERY.to_dict()) == GALLERY
    assert GALLERY.samples[0].names == {"picture": "a.webp", "errors: fast": "b.webp"}
    assert GALLERY.files == ("a.webp", "b.webp", "c.webp")
    assert not GALLERY.is_complete(tmp_path)
    for name in GALLERY.files:
        write_bytes(tmp_path / name, b"")
    assert GALLERY.is_complete(tmp_path)


def test_pictures_that_are_too_large_together_are_made_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 640, 3), np.uint8)
    for name in GALLERY.files:
        write_bytes(tmp_path / name, encode_webp(noise, 640, 80))
    whole = sum((tmp_path / name).stat().st_size for name in GALLERY.files)
    monkeypatch.setattr(page, "MOST_PICTURE_BYTES", whole)
    sizes = [sum(map(len, page._embed([GALLERY], tmp_path).values()))]
    monkeypatch.setattr(page, "MOST_PICTURE_BYTES", whole // 3)
    sizes.append(sum(map(len, page._embed([GALLERY], tmp_path).values())))
    assert sizes[0] > whole
    assert sizes[1] < 1.4 * whole / 3
