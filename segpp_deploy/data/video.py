"""Video in and out, one RGB frame at a time."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from segpp_deploy.config import Size
from segpp_deploy.data.images import ByteImage
from segpp_deploy.errors import SegppError
from segpp_deploy.files import atomic_path, require_file

DEFAULT_FPS = 25.0  # used where a file does not say

_CODEC_OF_SUFFIX = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
VIDEO_SUFFIXES = (*_CODEC_OF_SUFFIX, ".webm", ".mpg", ".mpeg")


@dataclass(frozen=True)
class VideoInfo:
    """What the container says; `frame_count` is None where it does not know."""

    fps: float
    frame_count: int | None
    size: Size


def is_video_name(path: Path) -> bool:
    """Tell by the suffix whether a file is a video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def probe_video(path: Path) -> VideoInfo:
    """Read rate, length and frame size without decoding the video.

    Raises:
        SegppError: missing, empty, or not a video.
    """
    with _opened(Path(path)) as capture:
        fps = float(capture.get(cv2.CAP_PROP_FPS))
        frame_count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        height, width = (int(capture.get(p)) for p in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))
    return VideoInfo(
        fps=fps if math.isfinite(fps) and fps > 0 else DEFAULT_FPS,
        frame_count=frame_count if frame_count > 0 else None,
        size=Size(height, width),
    )


def read_frames(path: Path) -> Iterator[ByteImage]:
    """Yield the frames as uint8 [H, W, 3] RGB, one in memory at a time.

    Raises:
        SegppError: missing, empty, not a video, or a video without a single readable frame.
    """
    with _opened(Path(path)) as capture:
        got_frame, frame = capture.read()
        if not got_frame:
            raise SegppError(
                f"Video {path} has no readable frame.",
                "at least one frame in a codec this machine can decode.",
                f"ffmpeg -i {path} -c:v mpeg4 converted.mp4",
            )
        while got_frame:
            yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
            got_frame, frame = capture.read()


def require_video_name(target: Path) -> Path:
    """Return `target` if `open_video_writer` can write a file of that name.

    Raises:
        SegppError: a suffix without an encoder.
    """
    target = Path(target)
    if target.suffix.lower() not in _CODEC_OF_SUFFIX:
        raise SegppError(
            f"Cannot write a video named {target.name!r}.",
            f"a name ending in {', '.join(_CODEC_OF_SUFFIX)}.",
            f"Name it {target.with_suffix('.mp4')}",
        )
    return target


class VideoWriter:
    """Takes RGB frames of one size; get one from `open_video_writer`."""

    def __init__(self, target: Path, temporary: Path, fps: float, size: Size) -> None:
        codec = cv2.VideoWriter.fourcc(*_CODEC_OF_SUFFIX[target.suffix.lower()])
        self._writer = cv2.VideoWriter(str(temporary), codec, fps, (size.width, size.height))
        self._size = size
        self.frame_count = 0
        if not self._writer.isOpened():
            raise SegppError(
                f"Cannot start writing video {target}.",
                "an encoder for that kind of file.",
                f"Name it {target.with_suffix('.avi')}",
            )

    def write(self, rgb: ByteImage) -> None:
        """Append one frame, uint8 [H, W, 3] RGB of exactly the size given at the start."""
        if rgb.shape != (*self._size.hw, 3):
            raise ValueError(f"frame has shape {rgb.shape}, the video takes {(*self._size.hw, 3)}")
        self._writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        self.frame_count += 1

    def close(self) -> None:
        """Finish the file."""
        self._writer.release()


@contextlib.contextmanager
def open_video_writer(target: Path, fps: float, size: Size) -> Iterator[VideoWriter]:
    """Yield a `VideoWriter`; `target` appears, whole, when the block ends well, else stays as it was.

    Encoders take even sizes only: of an odd one the last row or column is cut off.

    Raises:
        SegppError: a suffix without an encoder, an unwritable place, no frame written, or frames lost on
            the way to the disk (the encoder itself reports no error when a disk fills up).
    """
    target = require_video_name(target)
    with atomic_path(target) as temporary:
        writer = VideoWriter(target, temporary, fps, size)
        try:
            yield writer
        finally:
            writer.close()
        _check_written(target, temporary, writer.frame_count)


def _check_written(target: Path, temporary: Path, expected_frames: int) -> None:
    if expected_frames == 0:
        raise SegppError(f"No frame was written to {target}.", "at least one frame.", "Check the input video.")
    try:
        stored = probe_video(temporary).frame_count or 0
    except SegppError:
        stored = 0
    if stored != expected_frames:
        raise SegppError(
            f"Only {stored} of {expected_frames} frames reached {target}; it was not kept.",
            "enough free space on that disk.",
            f"Free some space (df -h {target.parent}) or write elsewhere with -o.",
        )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    require_file(path, "video", "Check the path.")
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise SegppError(
                f"{path} is not a readable video.",
                f"a whole video file ({', '.join(VIDEO_SUFFIXES)}).",
                "Copy the file again, or play it with ffplay to see what is wrong.",
            )
        yield capture
    finally:
        capture.release()
