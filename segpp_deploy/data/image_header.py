"""What an image file says about itself before it is decoded: its size, and whether it is whole."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_GREY, PNG_PALETTE = 0, 3  # colour types of the PNG specification

_JPEG_SIGNATURE = b"\xff\xd8\xff"
_JPEG_END = b"\xff\xd9"
_JPEG_START_OF_SCAN = 0xDA
_JPEG_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_WITHOUT_LENGTH = frozenset(range(0xD0, 0xD9)) | {0x01}


class DamagedImageError(ValueError):
    """The file is cut off or its bytes contradict its own checksums."""


@dataclass(frozen=True)
class PngHeader:
    """The IHDR fields that matter here."""

    width: int
    height: int
    bit_depth: int
    colour_type: int


def image_size(data: bytes) -> tuple[int, int] | None:
    """Return (height, width) from the header of a PNG or JPEG, or None for another format.

    Raises:
        DamagedImageError: the file ends early, or a PNG chunk fails its checksum.
    """
    if data.startswith(PNG_SIGNATURE):
        header = read_png_header(data)
        return header.height, header.width
    if data.startswith(_JPEG_SIGNATURE):
        return _jpeg_size(data)
    return None


def is_webp(data: bytes) -> bool:
    """Tell by a file's first bytes."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read_png_header(data: bytes) -> PngHeader:
    """Read IHDR after checking that every chunk up to IEND is whole.

    Raises:
        DamagedImageError: the file ends early, a chunk fails its checksum, or IHDR is missing.
    """
    names_and_bodies = list(_png_chunks(data))
    name, body = names_and_bodies[0]
    if name != b"IHDR" or len(body) != 13:
        raise DamagedImageError("it does not begin with an IHDR chunk")
    width, height, bit_depth, colour_type = struct.unpack(">IIBB", body[:10])
    return PngHeader(width, height, bit_depth, colour_type)


def png_with_grey_samples(data: bytes) -> bytes:
    """Return the same pixels' raw samples as a plain PNG, so that a decoder cannot interpret them.

    A palette image becomes a grey image of its indices; gamma, transparency and orientation are dropped.
    """
    parts = [PNG_SIGNATURE]
    for name, body in _png_chunks(data):
        if name == b"IHDR" and body[9] == PNG_PALETTE:
            body = body[:9] + bytes([PNG_GREY]) + body[10:]
        if name in (b"IHDR", b"IDAT", b"IEND"):
            parts.append(_png_chunk(name, body))
    return b"".join(parts)


def png_with_palette(data: bytes, palette: bytes) -> bytes:
    """Turn an 8-bit grey PNG into a palette PNG with the same samples; `palette` holds RGB triples."""
    parts = [PNG_SIGNATURE]
    for name, body in _png_chunks(data):
        if name == b"IHDR":
            body = body[:9] + bytes([PNG_PALETTE]) + body[10:]
        parts.append(_png_chunk(name, body))
        if name == b"IHDR":
            parts.append(_png_chunk(b"PLTE", palette))
    return b"".join(parts)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = len(PNG_SIGNATURE)
    while True:
        if position + 12 > len(data):
            raise DamagedImageError(f"it ends after {len(data)} bytes, in the middle of the picture")
        (length,) = struct.unpack_from(">I", data, position)
        name = data[position + 4 : position + 8]
        end = position + 8 + length
        if end + 4 > len(data):
            raise DamagedImageError(f"it ends after {len(data)} bytes, in the middle of the picture")
        (checksum,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(data[position + 4 : end]) != checksum:
            raise DamagedImageError(f"the checksum of chunk {name.decode('latin-1')!r} does not match")
        yield name, data[position + 8 : end]
        if name == b"IEND":
            return
        position = end + 4


def _png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _jpeg_size(data: bytes) -> tuple[int, int]:
    size: tuple[int, int] | None = None
    position = 2
    while position + 4 <= len(data):
        marker = data[position + 1]
        if data[position] != 0xFF or marker == 0xFF:  # fill bytes between segments
            position += 1
            continue
        if marker in _JPEG_WITHOUT_LENGTH:
            position += 2
            continue
        if marker in _JPEG_FRAME_HEADERS and position + 9 <= len(data):
            size = struct.unpack_from(">HH", data, position + 5)
        if marker == _JPEG_START_OF_SCAN and size is not None:
            if data.find(_JPEG_END, position) < 0:
                break
            return size
        position += 2 + int(struct.unpack_from(">H", data, position + 2)[0])
    raise DamagedImageError(f"it ends after {len(data)} bytes, in the middle of the picture")
