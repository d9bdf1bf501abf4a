"""Names are written in letters that the installed OpenCV has."""

from __future__ import annotations

import numpy as np
import pytest

from segpp_deploy.data import lettering
from segpp_deploy.data.lettering import draw_text, drawable, text_width, to_ascii


@pytest.mark.parametrize(
    ("name", "ascii_name"),
    [
        ("road", "road"),
        ("Gehweg (Straße)", "Gehweg (Strasse)"),
        ("trottoir pavé", "trottoir pave"),
        ("Łódź", "Lodz"),
        ("道路", "??"),
    ],
)
def test_letters_beyond_ascii_keep_their_latin_likeness(name: str, ascii_name: str) -> None:
    assert to_ascii(name) == ascii_name


def test_opencv_4_is_given_no_letter_that_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(lettering, "_DRAWS_UNICODE", False)
    monkeypatch.setattr(lettering.cv2, "putText", lambda _picture, text, *_: drawn.append(text))
    draw_text(np.zeros((20, 90, 3), np.uint8), "Straße", (2, 15), 0.5, (255, 255, 255))
    assert drawn == ["Strasse"]
    assert text_width("Straße", 0.5) == text_width("Strasse", 0.5)


def test_opencv_5_draws_the_name_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "_DRAWS_UNICODE", True)
    assert drawable("Straße") == "Straße"
    assert drawable("a\nb\x1b[0m\0") == "a b [0m "


def test_text_lies_within_its_width() -> None:
    picture = np.zeros((40, 300, 3), np.uint8)
    draw_text(picture, "bicyclist", (4, 30), 0.8, (255, 255, 255))
    columns = np.flatnonzero(picture.any(axis=(0, 2)))
    assert columns.min() >= 4
    assert columns.max() <= 4 + text_width("bicyclist", 0.8) + 2
