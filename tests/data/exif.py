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


def webp_with_exif(webp: bytes, orientation: int, size_px: tuple[int, int], *, extended: bool = True) -> bytes:
    """`extended`: with the chunk that announces others, as the format wants it; `size_px` is height and width."""
    height, width = (side - 1 for side in size_px)
    header = b"VP8X" + struct.pack("<IB3x", 10, 8) + width.to_bytes(3, "little") + height.to_bytes(3, "little")
    body = tiff_block(orientation)
    chunks = (header if extended else b"") + webp[12:] + b"EXIF" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def png_with_exif(png: bytes, orientation: int) -> bytes:
    body = tiff_block(orientation)
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body + struct.pack(">I", zlib.crc32(b"eXIf" + body))
    return png[:33] + chunk + png[33:]  # after IHDR
