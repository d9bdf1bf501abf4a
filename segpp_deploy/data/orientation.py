"""How a picture file's pixels lie: its EXIF orientation, found without decoding it, and label maps turned by that."""

from __future__ import annotations

import struct
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.image_header import PNG_SIGNATURE, is_webp

Scalar = TypeVar("Scalar", bound=np.generic)

_TAG = 0x0112  # "Orientation", in TIFF 6.0 and in EXIF, which has TIFF's form
_BYTE_ORDERS = {b"II": "<", b"MM": ">"}
_TIFF_MAGIC = 42
_EXIF_MARK = b"Exif\0\0"
_JPEG_START = b"\xff\xd8"
_JPEG_APP1, _JPEG_START_OF_SCAN = 0xE1, 0xDA


class Orientation(IntEnum):
    """What viewers, and `images.read_image`, do with the stored pixels; the numbers are EXIF's."""

    NONE = 1
    MIRROR = 2
    TURN_HALF = 3
    FLIP = 4
    TRANSPOSE = 5
    TURN_RIGHT = 6
    TRANSVERSE = 7
    TURN_LEFT = 8

    @property
    def swaps_sides(self) -> bool:
        """Whether height and width change places."""
        return self >= Orientation.TRANSPOSE

    @property
    def back(self) -> Orientation:
        """The one that undoes it."""
        turns = {Orientation.TURN_RIGHT: Orientation.TURN_LEFT, Orientation.TURN_LEFT: Orientation.TURN_RIGHT}
        return turns.get(self, self)

    def turn(self, stored: NDArray[Scalar]) -> NDArray[Scalar]:
        """Return [H, W, ...] as it stands upright.

        Example:
            >>> Orientation.TURN_RIGHT.turn(np.array([[1, 2, 3]])).tolist()
            [[1], [2], [3]]
            >>> Orientation.TURN_LEFT.turn(np.array([[1, 2, 3]])).tolist()
            [[3], [2], [1]]
        """
        turned = stored.swapaxes(0, 1) if self.swaps_sides else stored
        if self in (Orientation.FLIP, Orientation.TURN_HALF, Orientation.TURN_LEFT, Orientation.TRANSVERSE):
            turned = turned[::-1]
        if self in (Orientation.MIRROR, Orientation.TURN_HALF, Orientation.TURN_RIGHT, Orientation.TRANSVERSE):
            turned = turned[:, ::-1]
        return np.ascontiguousarray(turned)


def read_orientation(path: Path) -> Orientation:
    """Return the orientation that a JPEG, PNG, WebP or TIFF states; `NONE` where it cannot be read or says nothing."""
    try:
        with open(path, "rb") as stream:
            return find_orientation(stream)
    except OSError:
        return Orientation.NONE


def find_orientation(stream: BinaryIO) -> Orientation:
    """Do as `read_orientation`, with an open file."""
    try:
        return Orientation(_find(stream))
    except (struct.error, ValueError):
        return Orientation.NONE


def _find(stream: BinaryIO) -> int:
    start = stream.read(12)
    stream.seek(0)
    if start.startswith(_JPEG_START):
        return _in_jpeg(stream)
    if start.startswith(PNG_SIGNATURE):
        return _in_png(stream)
    if is_webp(start):
        return _in_webp(stream)
    return _in_tiff(stream)


def _in_jpeg(stream: BinaryIO) -> int:
    stream.seek(len(_JPEG_START))
    while True:
        mark, kind = struct.unpack(">BB", stream.read(2))
        while kind == mark == 0xFF:  # fill bytes between segments
            (kind,) = struct.unpack(">B", stream.read(1))
        if mark != 0xFF or kind == _JPEG_START_OF_SCAN:
            return Orientation.NONE
        (length,) = struct.unpack(">H", stream.read(2))
        end = stream.tell() + length - 2
        if kind == _JPEG_APP1 and stream.read(len(_EXIF_MARK)) == _EXIF_MARK:
            return _in_tiff(stream)
        stream.seek(end)


def _in_png(stream: BinaryIO) -> int:
    stream.seek(len(PNG_SIGNATURE))
    while True:
        length, kind = struct.unpack(">I4s", stream.read(8))
        if kind == b"eXIf":
            return _in_tiff(stream)
        stream.seek(length + 4, 1)  # the body and its checksum


def _in_webp(stream: BinaryIO) -> int:
    stream.seek(12)
    while True:
        kind, length = struct.unpack("<4sI", stream.read(8))
        if kind == b"EXIF":
            if stream.read(len(_EXIF_MARK)) != _EXIF_MARK:  # some writers keep what JPEG needs
                stream.seek(-len(_EXIF_MARK), 1)
            return _in_tiff(stream)
        stream.seek(length + length % 2, 1)


def _in_tiff(stream: BinaryIO) -> int:
    start = stream.tell()
    order = _BYTE_ORDERS.get(stream.read(2), "")
    if not order:
        return Orientation.NONE
    magic, offset = struct.unpack(f"{order}HI", stream.read(6))
    if magic != _TIFF_MAGIC:
        return Orientation.NONE
    stream.seek(start + offset)
    (count,) = struct.unpack(f"{order}H", stream.read(2))
    for _ in range(count):
        tag, _, _, value = struct.unpack(f"{order}HHIH2x", stream.read(12))
        if tag == _TAG:
            return int(value)
    return Orientation.NONE
