"""Pictures that say how they lie, byte by byte."""

from __future__ import annotations

import struct
import zlib


def tiff_block(orientation: int, order: str = ">") -> bytes:
    """A TIFF header and one entry."""
    mark = b"II" if order == "<" else b"MM"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(f"{order}HIH", 42, 8, 1) + entry + bytes(4)


def jpeg_with_exif(jpeg: bytes, orientation: int) -> bytes:
    body = b"Exif\0\0" + tiff_block(orientation)
    other = b"\xff\xe0\0\x04xy"  # a segment to be passed over
    return jpeg[:2] + other + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def png_with_exif(png: bytes, orientation: int) -> bytes:
    body = tiff_block(orientation)
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body + struct.pack(">I", zlib.crc32(b"eXIf" + body))
    return png[:33] + chunk + png[33:]  # after IHDR
