"""Small videos as cameras, editors and broken copies give them, made with FFmpeg's own encoders."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

ByteImage = NDArray[np.uint8]


def flat_frames(count: int, hw: tuple[int, int] = (48, 64)) -> list[ByteImage]:
    """Return frames whose upper half tells them apart."""
    made = []
    for index in range(count):
        frame = np.full((*hw, 3), (200, 40, 20 * index), np.uint8)
        frame[hw[0] // 2 :] = (30, 30, 30)
        made.append(frame)
    return made


def encode(
    path: Path,
    frames: list[ByteImage],
    codec: str = "mpeg4",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
    **container_options: str,
) -> Path:
    """Write frames at 10 a second."""
    with av.open(f"file:{path}", "w", options=container_options) as container:
        stream = container.add_stream(codec, rate=10, options=options or {})
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        for index, rgb in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def damage_packet(path: Path, number: int) -> Path:
    """Fill a packet with zeros where it lies in the file."""
    with av.open(f"file:{path}") as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][number]
        position, size = packet.pos or 0, packet.size
    data = bytearray(path.read_bytes())
    data[position : position + size] = bytes(size)
    path.write_bytes(bytes(data))
    return path


def cut(path: Path, share: float) -> Path:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def turn(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Set the display matrix of an MP4 file's track."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44
    struct.pack_into(">9i", data, matrix, a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
    return path
