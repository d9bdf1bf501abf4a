"""Reads a video to the end of its container, past what is damaged, with the time at which each frame is shown."""

from __future__ import annotations

import bisect
import contextlib
import shlex
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from segpp_deploy.config import Size
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.video import VIDEO_SUFFIXES, FrameCount, VideoFrame, VideoInfo
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.files import require_file

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

DEFAULT_FPS = Fraction(25)  # used where a file does not say
MAX_FPS = 240  # a rate above it is no rate but the unit of the times

_MAX_FAULTS_IN_A_ROW = 100  # of the container: no packet in between, so nothing more is to be expected


@contextlib.contextmanager
def open_video(path: Path) -> Iterator[VideoReader]:
    """Open a video for reading.

    Raises:
        SegppError: missing, empty, not a video, or in a codec that cannot be decoded.
    """
    import av
    from av.video.stream import VideoStream

    path = require_file(Path(path), "video", "Check the path.")
    try:
        container = av.open(f"file:{path}", metadata_errors="replace")  # file: so that no part of a name has a meaning
    except av.FFmpegError as error:
        raise _unreadable_error(path, error.strerror or one_line(error)) from error
    with container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream):
            if _lacks_index(path):
                raise _unreadable_error(path, "")
            raise SegppError(f"{path} has no pictures, only sound.", "a video.", "Choose another file.")
        if stream.codec_context is None:
            raise _undecodable_error(path, "its codec is unknown")
        yield VideoReader(path, container, stream)


class VideoReader:
    """A video that is open; iterate over it once, then `count` says what was read."""

    def __init__(self, path: Path, container: InputContainer, stream: VideoStream) -> None:
        self.path = path
        self._container = container
        self._stream = stream
        self._clock = _Clock(stream.time_base or Fraction(1, 1000), 1 / _rate_of(stream))
        self._tally = _Tally()

    @property
    def info(self) -> VideoInfo:
        """What the container says."""
        stream = self._stream
        return VideoInfo(
            fps=_rate_of(stream),
            frame_count=stream.frames or None,
            size=Size(stream.codec_context.height, stream.codec_context.width),
            time_base=stream.time_base or Fraction(1, 1000),
            pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
        )

    @property
    def count(self) -> FrameCount:
        """What was read so far; what is missing is known at the end."""
        return self._tally.count()

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames that can be decoded, one in memory at a time, all of the first one's size.

        Raises:
            SegppError: there is none.
        """
        shape: tuple[int, ...] | None = None
        for decoded in self._decoded():
            rgb = _upright(_pixels(decoded), _display_matrix(decoded))
            shape = shape or rgb.shape
            if rgb.shape != shape:
                rgb = np.asarray(cv2.resize(rgb, shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)
                self._tally.resized += 1
            number = self._tally.number_of(decoded.pts)
            yield VideoFrame(rgb, number, *self._clock.show(decoded.pts, decoded.duration))
        if not self._tally.read:
            raise _undecodable_error(self.path, "it has no readable frame")
        self._tally.finish(self._count_missing())

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Yield frames as they leave the decoder, in the order in which they are shown."""
        import av

        for packet in self._packets():
            try:
                frames = self._stream.decode(packet)
            except av.FFmpegError:
                self._tally.note_damage(None if packet is None else packet.pts)
                continue
            if packet is not None and packet.is_corrupt and not packet.is_discard:
                self._tally.note_doubt(packet.pts)
            for frame in frames:
                self._tally.note_frame(frame)
                yield frame
            if packet is None:
                self._stream.codec_context.flush_buffers()  # makes it take packets again

    def _packets(self) -> Iterator[av.Packet[VideoStream] | None]:
        """Yield what the container holds, and None where the decoder is to give out what it holds back.

        That is at the end, and where another recording was joined on: a decoder that meets another size forgets.
        """
        import av

        faults = 0
        last_dts: int | None = None
        while faults < _MAX_FAULTS_IN_A_ROW:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size == 0 and packet.dts is None:  # sent by PyAV at the end
                        continue
                    if faults:
                        self._tally.note_damage(packet.pts)
                    faults = 0
                    self._tally.note_packet(packet)
                    begins_again = packet.dts is not None and last_dts is not None and packet.dts < last_dts
                    if packet.is_keyframe and begins_again:
                        yield None
                    last_dts = packet.dts
                    yield packet
                break
            except av.FFmpegError:  # a place where the container is damaged; the next call reads on behind it
                faults += 1
        yield None

    def _count_missing(self) -> int:
        """Return how many frames follow by the container's account where it has no more of them."""
        stream, is_avi = self._stream, self._container.format.name == "avi"
        rate = (None if is_avi else stream.average_rate) or _rate_of(stream)
        short_s = self._promised_end_s() - self._tally.end * self._clock.time_base
        if short_s < Fraction(3, 2) / rate:  # the last frame's duration is often a guess
            return 0
        if stream.frames and not is_avi:  # whose number of frames counts those that stay for two as two
            return max(stream.frames - self._tally.packets, 1)
        return round(short_s * rate)

    def _promised_end_s(self) -> Fraction:
        """Return when the last frame ends by the container's account; 0 where it says nothing."""
        stream, container = self._stream, self._container
        start_s = (stream.start_time or 0) * self._clock.time_base
        if container.format.name == "avi":  # it takes the duration from what there is
            return start_s + stream.frames / _rate_of(stream)
        if stream.duration:
            return start_s + stream.duration * self._clock.time_base
        is_alone = len(container.streams) == 1  # else it may be the sound that lasts so long
        return Fraction(container.duration or 0, 1_000_000) if is_alone else Fraction(0)


class _Tally:
    """Counts what happens to frames."""

    def __init__(self) -> None:
        self.read = self.missing = self.resized = self.packets = 0
        self.end = 0  # of the last packet, in units of the stream
        self._repaired = 0
        self._doubtful: set[int] = set()
        self._damaged: list[int] = []
        self._damaged_without_time = 0

    def note_packet(self, packet: av.Packet[VideoStream]) -> None:
        """Take note of a packet before it is decoded."""
        self.packets += 1
        if packet.pts is not None:
            self.end = max(self.end, packet.pts + (packet.duration or 0))

    def note_damage(self, pts: int | None) -> None:
        """Take note of a frame that could not be decoded."""
        if pts is None:
            self._damaged_without_time += 1
        else:
            bisect.insort(self._damaged, pts)

    def note_doubt(self, pts: int | None) -> None:
        """Take note of a packet that is damaged, but which the decoder took."""
        if pts is not None:
            self._doubtful.add(pts)

    def note_frame(self, frame: av.VideoFrame) -> None:
        """Take note of a decoded frame."""
        self.read += 1
        self._repaired += frame.is_corrupt or frame.pts in self._doubtful
        if frame.pts is not None:
            self._doubtful.discard(frame.pts)

    def finish(self, missing: int) -> None:
        """Take note of what is missing at the end; damaged packets of which no frame came are damaged frames."""
        self.missing = missing
        for pts in self._doubtful:
            self.note_damage(pts)
        self._doubtful.clear()

    def number_of(self, pts: int | None) -> int:
        """Return the place of the frame that was read last."""
        before = len(self._damaged) if pts is None else bisect.bisect_left(self._damaged, pts)
        return self.read + self._damaged_without_time + before

    def count(self) -> FrameCount:
        """Return the counts."""
        damaged = len(self._damaged) + self._damaged_without_time
        return FrameCount(self.read, damaged, self.missing, self._repaired, self.resized)


class _Clock:
    """Turns a stream's times into seconds after the first frame that never go back.

    Args:
        time_base: the stream's unit in seconds.
        usual_s: how long a frame is shown where the file does not say.
    """

    def __init__(self, time_base: Fraction, usual_s: Fraction) -> None:
        self.time_base = time_base
        self._usual_s = usual_s
        self._origin: Fraction | None = None
        self._last: Fraction | None = None

    def show(self, pts: int | None, duration: int | None) -> tuple[Fraction, Fraction]:
        """Return when the next frame is shown, and for how long."""
        duration_s = (duration or 0) * self.time_base or self._usual_s
        next_s = Fraction(0) if self._last is None else self._last + self._usual_s
        if pts is None:
            time_s = next_s
        else:
            stored = pts * self.time_base
            begins_again = self._last is not None and self._origin is not None and stored - self._origin < self._last
            if self._origin is None or begins_again:  # as in recordings that were joined
                self._origin = stored - next_s
            time_s = stored - self._origin
            if time_s == self._last:
                time_s += self.time_base
        self._last = time_s
        return time_s, duration_s


def _rate_of(stream: VideoStream) -> Fraction:
    for rate in (stream.base_rate, stream.guessed_rate, stream.average_rate):
        if rate and 0 < rate <= MAX_FPS:
            return Fraction(rate)
    return DEFAULT_FPS


def _pixels(frame: av.VideoFrame) -> ByteImage:
    return np.asarray(frame.reformat(format="rgb24").to_ndarray(), np.uint8)


def _display_matrix(frame: av.VideoFrame) -> tuple[int, ...]:
    """Return a, b, c, d of x' = ax + cy, y' = bx + dy: how a player turns the stored frame."""
    entries: Any = frame.side_data
    for entry in entries:
        if entry.type.name == "DISPLAYMATRIX":
            matrix = struct.unpack("=9i", bytes(entry)[:36])
            return matrix[0], matrix[1], matrix[3], matrix[4]
    return 1, 0, 0, 1


def _upright(rgb: ByteImage, matrix: tuple[int, ...]) -> ByteImage:
    """Turn and mirror a frame by quarters."""
    a, b, c, d = matrix
    if abs(b) > abs(a):
        rgb, a, d = rgb.swapaxes(0, 1), c, b
    return np.ascontiguousarray(rgb[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _unreadable_error(path: Path, reason: str) -> SegppError:
    if _lacks_index(path):
        return SegppError(
            f"{path} has no index (moov): the recording or the copy broke off before it was written.",
            "a whole video file.",
            "Copy the file again; untrunc may repair a recording, given a whole one of the same camera.",
        )
    return SegppError(
        f"{path} is not a readable video: {reason}.",
        f"a whole video file ({', '.join(VIDEO_SUFFIXES)}).",
        "Copy the file again, or play it with ffplay to see what is wrong.",
    )


def _lacks_index(path: Path) -> bool:
    """Tell whether a file is an MP4 or QuickTime file whose boxes end without a whole `moov`."""
    total, position, whole = path.stat().st_size, 0, []
    with open(path, "rb") as stream:
        while len(header := stream.read(16)) >= 8:
            size, name = struct.unpack(">I4s", header[:8])
            if size == 1 and len(header) == 16:
                (size,) = struct.unpack(">Q", header[8:])
            position += size
            if size < 8 or position > total:  # 0: to the end of the file
                break
            whole.append(name)
            stream.seek(position)
    return whole[:1] == [b"ftyp"] and b"moov" not in whole


def _undecodable_error(path: Path, reason: str) -> SegppError:
    return SegppError(
        f"Video {path} cannot be decoded: {reason}.",
        "at least one frame in a codec this machine can decode.",
        f"ffmpeg -i {shlex.quote(str(path))} -c:v mpeg4 converted.mp4",
    )
