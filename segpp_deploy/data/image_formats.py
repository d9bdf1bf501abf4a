"""What kind of picture a file holds, how many of them, and whether it is one that nobody here can read."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from segpp_deploy.data.image_header import PNG_SIGNATURE, is_webp

GIF_SIGNATURES = (b"GIF87a", b"GIF89a")

_FOREIGN = {
    b"%PDF": "a PDF document",
    b"8BPS": "a Photoshop file",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
    b"v/1\x01": "an OpenEXR picture",
    b"SIMPLE  =": "a FITS file",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1aE\xdf\xa3": "a Matroska or WebM video",
    b"FUJIFILMCCD-RAW": "a camera's raw file",
    b"IIU\0": "a camera's raw file",
    b"IIRO": "a camera's raw file",
    b"<svg": "an SVG drawing",
}
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"})
_JPEG_KINDS = {0xC3: "a lossless JPEG", **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "a hierarchical JPEG")}
_TIFF_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})
_TIFF_TYPE_SIZES = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8}
_SUBFILE, _BITS, _COMPRESSION, _SAMPLE_FORMAT = 254, 258, 259, 339
_SAMPLE_KINDS = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}


def is_heif(data: bytes) -> bool:
    """Tell whether a file is a HEIC or AVIF picture."""
    return data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS


def is_avif(data: bytes) -> bool:
    """Tell whether a HEIF file is coded as AVIF, not as HEIC."""
    length = int.from_bytes(data[:4], "big")
    return any(brand in data[8 : min(length, 256)] for brand in (b"avif", b"avis"))


def is_whole_gif(data: bytes) -> bool:
    """Tell whether a GIF reaches its end."""
    try:
        return _count_gif(data) > 0
    except IndexError:
        return False


def count_pictures(data: bytes) -> int:
    """Return how many pictures a GIF, PNG, WebP or TIFF file holds; 1 for any other, and for a damaged one."""
    try:
        if data.startswith(GIF_SIGNATURES):
            return max(_count_gif(data), 1)
        if data.startswith(PNG_SIGNATURE):
            return _count_apng(data)
        if is_webp(data):
            return max(_count_webp(data), 1)
        if tiff := _Tiff.open(data):
            return max(sum(not entries.get(_SUBFILE, 0) & 1 for entries in tiff.directories()), 1)
    except (struct.error, IndexError):
        pass
    return 1


def describe_unsupported(data: bytes) -> str | None:
    """Return what a file is that may be whole but is none that can be read here; None where nothing speaks for that."""
    for signature, kind in _FOREIGN.items():
        if data.startswith(signature):
            return kind
    if data[128:132] == b"DICM":
        return "a DICOM file"
    if data[4:8] == b"ftyp" and not is_heif(data):
        return "a camera's raw file" if data[8:12] == b"crx " else "a video"
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _describe_jpeg(data)
        if tiff := _Tiff.open(data):
            return _describe_tiff(next(tiff.directories(), {}))
    except (struct.error, IndexError):
        pass
    return None


def _describe_jpeg(data: bytes) -> str | None:
    position = 2
    while data[position] == 0xFF:
        marker = data[position + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            precision = data[position + 4]
            return _JPEG_KINDS.get(marker) or (f"a JPEG with {precision} bits a sample" if precision != 8 else None)
        position += 2 + int(struct.unpack_from(">H", data, position + 2)[0])
    return None


def _describe_tiff(entries: dict[int, int]) -> str | None:
    bits, kind = entries.get(_BITS, 1), _SAMPLE_KINDS.get(entries.get(_SAMPLE_FORMAT, 1))
    if kind:
        return f"a TIFF with {kind} samples of {bits} bits"
    if bits > 16:
        return f"a TIFF with samples of {bits} bits"
    compression = entries.get(_COMPRESSION, 1)
    return None if compression in _TIFF_COMPRESSIONS else f"a TIFF with compression {compression}"


def _count_gif(data: bytes) -> int:
    def colours(flags: int) -> int:
        return 3 << ((flags & 7) + 1) if flags & 0x80 else 0

    def after_blocks(position: int) -> int:
        while data[position]:
            position += 1 + data[position]
        return position + 1

    count, position = 0, 13 + colours(data[10])
    while position < len(data) and data[position] != 0x3B:
        if data[position] == 0x2C:
            count += 1
            position = after_blocks(position + 11 + colours(data[position + 9]))
        else:
            position = after_blocks(position + 2)
    return count


def _count_apng(data: bytes) -> int:
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        if name == b"acTL":
            return int(struct.unpack_from(">I", data, position + 8)[0])
        if name == b"IDAT":
            break
        position += 12 + length
    return 1


def _count_webp(data: bytes) -> int:
    count, position = 0, 12
    while position + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, position)
        count += name == b"ANMF"
        position += 8 + length + length % 2
    return count


@dataclass(frozen=True)
class _Tiff:
    """The directories of a TIFF or BigTIFF file, each describing a picture."""

    data: bytes
    order: str
    is_big: bool

    @classmethod
    def open(cls, data: bytes) -> _Tiff | None:
        order = {b"II": "<", b"MM": ">"}.get(data[:2])
        if order is None or len(data) < 16:
            return None
        (version,) = struct.unpack_from(f"{order}H", data, 2)
        return cls(data, order, version == 43) if version in (42, 43) else None

    def directories(self) -> Iterator[dict[int, int]]:
        """Yield the first value of every whole-numbered tag, by directory."""
        word = "Q" if self.is_big else "I"
        counter, entry_size, word_size = ("Q", 20, 8) if self.is_big else ("H", 12, 4)
        (position,) = self._unpack(word, 8 if self.is_big else 4)
        seen: set[int] = set()
        while position and position not in seen:
            seen.add(position)
            (count,) = self._unpack(counter, position)
            first = position + struct.calcsize(f"={counter}")
            entries = [self._entry(first + i * entry_size, word, word_size) for i in range(min(count, 1 << 12))]
            yield {tag: value for tag, value in entries if value is not None}
            (position,) = self._unpack(word, first + count * entry_size)

    def _entry(self, position: int, word: str, word_size: int) -> tuple[int, int | None]:
        tag, kind, count = self._unpack(f"HH{word}", position)
        size = _TIFF_TYPE_SIZES.get(kind)
        if size is None:
            return tag, None
        place = position + 4 + word_size
        if size * count > word_size:
            (place,) = self._unpack(word, place)
        return tag, int(self._unpack({1: "B", 2: "H", 4: "I", 8: "Q"}[size], place)[0])

    def _unpack(self, letters: str, position: int) -> tuple[int, ...]:
        return struct.unpack_from(f"{self.order}{letters}", self.data, position)
