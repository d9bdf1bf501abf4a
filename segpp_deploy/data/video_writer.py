"""Writes a video, whole or not at all; every frame keeps its size and its time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from segpp_deploy.config import Size
from segpp_deploy.data.images import ByteImage
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.files import atomic_path, require_suffix

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream


@dataclass(frozen=True)
class _Encoding:
    codec: str
    pixel_format: str
    keeps_times: bool = True


# Both encoders are FFmpeg's own, so every build of it has them, and both take odd sizes.
_MPEG4 = _Encoding("mpeg4", "yuv420p")
_ENCODING_OF_SUFFIX = {
    **dict.fromkeys((".mp4", ".m4v", ".mov", ".mkv"), _MPEG4),
    ".avi": _Encoding("mjpeg", "yuvj420p", keeps_times=False),  # a frame of an AVI lasts 1 / fps or a multiple of it
}
_QUALITY = 3  # the quantiser, 1 (best) to 31
_UNITS_OF_QUALITY = 118  # FF_QP2LAMBDA
_LARGEST_TERM = 65535  # MPEG-4 stores the time base in 16 bits
_FINE_TIME_BASE = Fraction(1, 60000)


def require_video_name(target: Path) -> Path:
    """Return `target` if `open_video_writer` can write a file of that name.

    Raises:
        SegppError: a suffix without an encoder.
    """
    return require_suffix(target, "video", tuple(_ENCODING_OF_SUFFIX))


class VideoWriter:
    """Takes RGB frames of one size; get one from `open_video_writer`."""

    def __init__(self, container: OutputContainer, stream: VideoStream, time_base: Fraction) -> None:
        self._container = container
        self._stream = stream
        self._time_base = time_base
        self._frame_s = 1 / Fraction(stream.codec_context.framerate)
        self._next_s = Fraction(0)
        self._last_tick = -1
        self.frame_count = 0

    def write(self, rgb: ByteImage, time_s: Fraction | None = None, duration_s: Fraction | None = None) -> None:
        """Append one frame.

        Args:
            rgb: uint8 [H, W, 3] of exactly the size given at the start.
            time_s: when it is shown, in seconds; after the last one at the video's rate if None.
            duration_s: how long it is shown, where it is the last; 1 / fps if None.
        """
        import av

        expected = (self._stream.codec_context.height, self._stream.codec_context.width, 3)
        if rgb.shape != expected:
            raise ValueError(f"frame has shape {rgb.shape}, the video takes {expected}")
        duration_s = duration_s or self._frame_s
        time_s = self._next_s if time_s is None else time_s
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        frame.time_base = self._time_base
        frame.pts = self._last_tick = max(round(time_s / self._time_base), self._last_tick + 1)
        frame.duration = max(round(duration_s / self._time_base), 1)
        self._next_s = time_s + self._frame_s
        self._container.mux(self._stream.encode(frame))
        self.frame_count += 1

    def finish(self) -> None:
        """Write what the encoder holds back."""
        if self.frame_count:
            self._container.mux(self._stream.encode())


@contextlib.contextmanager
def open_video_writer(
    target: Path,
    fps: Fraction | float,
    size: Size,
    time_base: Fraction | None = None,
    pixel_aspect: Fraction = Fraction(1),
) -> Iterator[VideoWriter]:
    """Yield a `VideoWriter`; `target` appears, whole, when the block ends well, else stays as it was.

    Args:
        target: the file; its suffix chooses the container.
        fps: frames a second, for frames that are given no time.
        size: of every frame, in pixels; may be odd.
        time_base: the unit of the frames' times, in seconds; 1 / fps if None. An AVI file has no other.
        pixel_aspect: width over height of a pixel.

    Raises:
        SegppError: a suffix without an encoder, an unwritable place, no frame written, or frames lost on the way.
    """
    target = require_video_name(target)
    encoding = _ENCODING_OF_SUFFIX[target.suffix.lower()]
    rate = Fraction(fps).limit_denominator(1001)
    base = 1 / rate if time_base is None or not encoding.keeps_times else time_base
    if max(base.numerator, base.denominator) > _LARGEST_TERM:
        base = _FINE_TIME_BASE
    with atomic_path(target) as temporary:
        with _opened(target, temporary) as container:
            stream = _add_stream(container, encoding, rate, size, base)
            stream.codec_context.sample_aspect_ratio = pixel_aspect
            writer = VideoWriter(container, stream, base)
            yield writer
            writer.finish()
        _check_written(target, temporary, writer.frame_count)


@contextlib.contextmanager
def _opened(target: Path, temporary: Path) -> Iterator[OutputContainer]:
    """Open a file for writing; what FFmpeg says about it becomes an `OSError`, or ours."""
    import av

    try:
        with av.open(f"file:{temporary}", "w") as container:
            yield container
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise SegppError(
            f"Cannot write video {target}: {error.strerror or one_line(error)}.",
            "a place and a kind of file that FFmpeg can write.",
            f"Name it {target.with_suffix('.mkv' if target.suffix.lower() == '.avi' else '.avi')}",
        ) from error


def _add_stream(
    container: OutputContainer, encoding: _Encoding, rate: Fraction, size: Size, time_base: Fraction
) -> VideoStream:
    options = {"flags": "+qscale", "global_quality": str(_QUALITY * _UNITS_OF_QUALITY)}
    stream = cast("VideoStream", container.add_stream(encoding.codec, rate=rate, options=options))
    stream.height, stream.width = size.hw
    stream.pix_fmt = encoding.pixel_format
    stream.codec_context.time_base = time_base
    return stream


def _check_written(target: Path, temporary: Path, expected_frames: int) -> None:
    if expected_frames == 0:
        raise SegppError(f"No frame was written to {target}.", "at least one frame.", "Check the input video.")
    stored = _stored_frames(temporary)
    if stored < expected_frames:
        raise SegppError(
            f"Only {stored} of {expected_frames} frames reached {target}; it was not kept.",
            "enough free space on that disk.",
            f"Free some space (df -h {target.parent}) or write elsewhere with -o.",
        )


def _stored_frames(path: Path) -> int:
    import av

    try:
        with av.open(f"file:{path}") as container:
            return sum(packet.size > 0 for packet in container.demux(video=0))
    except (av.FFmpegError, IndexError):
        return 0
