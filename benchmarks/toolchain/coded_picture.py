"""Pictures of a camera that turns from side to side, each with its number and its time in it, as black and white.

The number and the time are read back from the picture wherever it went: through an encoder, a network, a model and an
overlay. Drawing needs no more than Python itself, for the Python that has GStreamer has little else.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WIDTH, HEIGHT, FPS = 640, 360, 30
PANORAMA_WIDTH = 1280

_BITS, _ROWS = 32, 16
_HALF = WIDTH // (2 * _BITS)
_WORD = 1 << _BITS
_CHECK = 0x5A5AA5A5
_STEP = 4
_LINES = 3
_BLACK, _WHITE = bytes(3 * _HALF), b"\xff" * (3 * _HALF)


class Camera:
    """Turns over a panorama, there and back.

    Args:
        panorama: a file of `PANORAMA_WIDTH` x `HEIGHT` pixels, 3 bytes each, RGB.
    """

    def __init__(self, panorama: Path) -> None:
        content, row = panorama.read_bytes(), 3 * PANORAMA_WIDTH
        self._rows = [content[row * line : row * (line + 1)] for line in range(_LINES * _ROWS, HEIGHT)]

    def take(self, number: int) -> bytes:
        """Return a picture `HEIGHT` x `WIDTH` x 3 with its number and the time of now."""
        now = clock_ms()
        lines = (number % _WORD, now, number % _WORD ^ now ^ _CHECK)
        room = PANORAMA_WIDTH - WIDTH
        left = _STEP * number % (2 * room)
        left = min(left, 2 * room - left)
        return b"".join(
            [*(_draw_line(line) * _ROWS for line in lines), *(row[3 * left : 3 * (left + WIDTH)] for row in self._rows)]
        )


def clock_ms() -> int:
    """Return the milliseconds of the clock that all processes of a machine share, in 32 bits."""
    return int(1000 * time.monotonic()) % _WORD


def elapsed_ms(since_ms: int, until_ms: int) -> int:
    """Return the milliseconds between two times of `clock_ms`."""
    return (until_ms - since_ms) % _WORD


def read_code(rgb: NDArray[np.uint8]) -> tuple[int, int] | None:
    """Return number and time of a picture [H, W, 3] in its own size; None where they cannot be read.

    A bit is white and black for 1, black and white for 0: which half is brighter is left as it is by what tints both.
    """
    halves = rgb[: _LINES * _ROWS].reshape(_LINES, _ROWS, _BITS, 2, _HALF, 3).mean(axis=(1, 4, 5))
    number, taken_ms, check = (
        int("".join("01"[left > right] for left, right in line), base=2) for line in halves.tolist()
    )
    return (number, taken_ms) if number ^ taken_ms ^ _CHECK == check else None


def _draw_line(word: int) -> bytes:
    return b"".join(_WHITE + _BLACK if bit == "1" else _BLACK + _WHITE for bit in f"{word:0{_BITS}b}")
