"""Text in pictures, in letters that the installed OpenCV has: version 5 knows most of Unicode, version 4 only ASCII."""

from __future__ import annotations

import unicodedata

import cv2

from segpp_deploy.data.images import ByteImage

CAPITAL_HEIGHT = 21  # of the font at scale 1, in pixels

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DRAWS_UNICODE = int(cv2.__version__.partition(".")[0]) >= 5
# Letters that Unicode does not decompose into a Latin one and its accent.
_PLAIN = str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
    | {"đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i", "–": "-", "—": "-", "’": "'"}
)


def draw_text(
    picture: ByteImage,
    text: str,
    origin: tuple[int, int],
    scale: float,
    colour: tuple[int, int, int],
    thickness: int = 1,
) -> None:
    """Write one line into a picture uint8 [H, W, 3], in place; `origin` (x, y) is the left end of the baseline."""
    cv2.putText(picture, drawable(text), origin, _FONT, scale, colour, thickness, cv2.LINE_AA)


def text_width(text: str, scale: float, thickness: int = 1) -> int:
    """Return how many pixels wide `draw_text` writes a line."""
    (width, _), _ = cv2.getTextSize(drawable(text), _FONT, scale, thickness)
    return int(width)


def drawable(text: str) -> str:
    """Return the text in letters that can be drawn here.

    Control characters are never drawn. OpenCV 4 writes two or three question marks for each letter beyond ASCII: there
    accents are left out, and a letter without a Latin likeness becomes one question mark.
    """
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown if _DRAWS_UNICODE else to_ascii(shown)


def to_ascii(text: str) -> str:
    """Return text with letters of ASCII only.

    Example:
        >>> to_ascii("Straße, côté, 道路")
        'Strasse, cote, ??'
    """
    parts = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    return "".join(part if part.isascii() else "?" for part in parts if not unicodedata.combining(part))
