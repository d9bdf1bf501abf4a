"""Picture files made by hand, byte by byte where a library would hide what matters."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest


def png_bytes(
    samples: np.ndarray, colour_type: int, bit_depth: int = 8, extra: tuple[tuple[bytes, bytes], ...] = ()
) -> bytes:
    """Write a PNG from samples [H, W] or [H, W, C] without any conversion; `extra` chunks follow IHDR."""
    height, width = samples.shape[:2]
    rows = samples.reshape(height, -1)
    if bit_depth == 16:
        lines = rows.astype(">u2").tobytes()
    elif bit_depth == 8:
        lines = rows.astype(np.uint8).tobytes()
    else:
        bits = (rows[..., None] >> np.arange(bit_depth)[::-1]) & 1
        lines = np.packbits(bits.reshape(height, -1).astype(np.uint8), axis=1).tobytes()
    step = len(lines) // height
    scanlines = b"".join(b"\0" + lines[i * step : (i + 1) * step] for i in range(height))
    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(scanlines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


@pytest.fixture
def write_picture(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an RGB picture of a given or random content below the test's directory."""

    def write(name: str, rgb: np.ndarray | tuple[int, int] = (8, 12)) -> Path:
        if isinstance(rgb, tuple):
            rgb = np.random.default_rng(0).integers(0, 256, (*rgb, 3)).astype(np.uint8)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), rgb[..., ::-1])
        return path

    return write


@pytest.fixture
def write_label_file(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a grey 8-bit label map below the test's directory."""

    def write(name: str, labels: np.ndarray | int = 0, size: tuple[int, int] = (8, 12)) -> Path:
        samples = np.full(size, labels, np.uint8) if isinstance(labels, int) else labels
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png_bytes(samples, colour_type=0))
        return path

    return write
