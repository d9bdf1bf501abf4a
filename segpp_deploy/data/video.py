"""What a video is: its names, its frames and their times, and how many of them could be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from segpp_deploy.config import Size
from segpp_deploy.data.image_formats import count_pictures
from segpp_deploy.data.images import ByteImage

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
    *(".3gp", ".wmv", ".flv", ".gif"),
)


@dataclass(frozen=True)
class VideoInfo:
    """What the container says of its pictures; it may be wrong.

    Args:
        fps: frames a second; of a variable rate, the lowest rate at which every frame has a place of its own.
        frame_count: None where the container does not know.
        size: as stored, before frames are turned upright.
        time_base: the unit of its times, in seconds.
        pixel_aspect: width over height of a pixel.
    """

    fps: Fraction
    frame_count: int | None
    size: Size
    time_base: Fraction
    pixel_aspect: Fraction = Fraction(1)


@dataclass(frozen=True)
class VideoFrame:
    """A decoded frame.

    Args:
        rgb: uint8 [H, W, 3], RGB, upright.
        number: its place in the video, from 1; a damaged frame leaves a gap.
        time_s: when it is shown, in seconds after the first one.
        duration_s: how long.
    """

    rgb: ByteImage
    number: int
    time_s: Fraction
    duration_s: Fraction


@dataclass(frozen=True)
class FrameCount:
    """How many of a video's frames could be read.

    Args:
        read: frames that were decoded, the repaired ones among them.
        damaged: frames that no decoder can read; they are left out.
        missing: frames after the place where the file breaks off.
        repaired: frames of which a part is damaged and was filled in by the decoder.
        resized: frames of another size than the first one, which they were scaled to.
    """

    read: int = 0
    damaged: int = 0
    missing: int = 0
    repaired: int = 0
    resized: int = 0

    @property
    def expected(self) -> int:
        """Frames that the whole video has."""
        return self.read + self.damaged + self.missing

    @property
    def is_whole(self) -> bool:
        """Whether every frame was read as it was recorded."""
        return not (self.damaged or self.missing or self.repaired)

    def describe(self) -> str:
        """Return what became of the frames.

        Example:
            >>> FrameCount(read=39, damaged=1).describe()
            '39 of 40 frames, 1 damaged'
        """
        parts = {"damaged": self.damaged, "missing at the end": self.missing, "read with faults": self.repaired}
        counts = [f"{count} {what}" for what, count in parts.items() if count]
        return ", ".join([f"{self.read} of {self.expected} frames", *counts])


def is_video_name(path: Path) -> bool:
    """Tell by the suffix whether a file is a video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def is_video_file(path: Path) -> bool:
    """Tell whether `path` is a file to be read as a video; a GIF is one if it moves."""
    path = Path(path)
    if not (path.is_file() and is_video_name(path)):
        return False
    return path.suffix.lower() != ".gif" or count_pictures(path.read_bytes()) > 1


def probe_video(path: Path) -> VideoInfo:
    """Read rate, length and frame size without decoding the video.

    Raises:
        SegppError: missing, empty, or not a video.
    """
    from segpp_deploy.data.video_reader import open_video  # FFmpeg takes a while to load

    with open_video(path) as video:
        return video.info


def read_frames(path: Path) -> Iterator[ByteImage]:
    """Yield the frames that can be decoded, as uint8 [H, W, 3] RGB, one in memory at a time.

    `video_reader.open_video` also gives their times, and says how many could not be.

    Raises:
        SegppError: missing, empty, not a video, or a video without a single readable frame.
    """
    from segpp_deploy.data.video_reader import open_video

    with open_video(path) as video:
        for frame in video:
            yield frame.rgb
