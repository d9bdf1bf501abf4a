"""Frames go out and come back, in their own size and time; nothing half-written stays behind."""

from __future__ import annotations

import errno
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.config import Size
from segpp_deploy.data import video_writer
from segpp_deploy.data.video import probe_video, read_frames
from segpp_deploy.data.video_reader import open_video
from segpp_deploy.data.video_writer import VideoWriter, open_video_writer
from segpp_deploy.errors import SegppError
from tests.support.video_files import flat_frames

SIZE = Size(48, 64)


def write_video(path: Path, fps: float = 12.5) -> Path:
    with open_video_writer(path, fps, SIZE) as writer:
        for frame in flat_frames(5):
            writer.write(frame)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".mov"])
def test_round_trip(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"a{suffix}")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    info = probe_video(path)
    assert (info.fps, info.size) == (12.5, SIZE)
    read = list(read_frames(path))
    assert len(read) == 5
    for got, expected in zip(read, flat_frames(5), strict=True):
        assert got.shape == expected.shape
        assert np.abs(got.astype(int) - expected).mean() < 12, "channels swapped or frames out of order"


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".mov"])
def test_odd_sizes_keep_every_row_and_column(tmp_path: Path, suffix: str) -> None:
    frame = np.zeros((33, 47, 3), np.uint8)
    frame[-1] = frame[:, -1] = 255
    with open_video_writer(path := tmp_path / f"odd{suffix}", 25, Size(33, 47)) as writer:
        writer.write(frame)
    read = next(read_frames(path))
    assert read.shape == (33, 47, 3)
    assert min(read[-1].mean(), read[:, -1].mean()) > 200


@pytest.mark.parametrize("time_base", [Fraction(1, 90000), Fraction(1, 1000), Fraction(1001, 30000), None])
def test_times_are_kept(tmp_path: Path, time_base: Fraction | None) -> None:
    times = [Fraction(0), Fraction(1, 10), Fraction(2), Fraction(21, 10)]
    with open_video_writer(path := tmp_path / "a.mp4", 10, SIZE, time_base, Fraction(4, 3)) as writer:
        for frame, time_s in zip(flat_frames(4), times, strict=True):
            writer.write(frame, time_s)
    with open_video(path) as video:
        assert video.info.pixel_aspect == Fraction(4, 3)
        found = [frame.time_s for frame in video]
        assert video.count.is_whole
    assert all(abs(a - b) <= (time_base or 0) / 2 for a, b in zip(found, times, strict=True))


def test_an_avi_keeps_times_to_its_rate(tmp_path: Path) -> None:
    with open_video_writer(path := tmp_path / "a.avi", 10, SIZE, Fraction(1, 1000)) as writer:
        for frame, time_s in zip(flat_frames(3), (Fraction(0), Fraction(1, 3), Fraction(1)), strict=True):
            writer.write(frame, time_s)
    with open_video(path) as video:
        assert [float(frame.time_s) for frame in video] == [0, 0.3, 1.0]
        assert video.count.is_whole, "slots in which a frame stays are no frames"


def test_interrupted_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with open_video_writer(path, 25, SIZE) as writer:
            writer.write(flat_frames(1)[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("stored", [0, 3])
def test_lost_frames_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: int) -> None:
    monkeypatch.setattr(video_writer, "_stored_frames", lambda path: stored)
    with pytest.raises(SegppError, match=f"Only {stored} of 5 frames"):
        write_video(tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_up(self: VideoWriter) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(VideoWriter, "finish", fill_up)
    with pytest.raises(SegppError, match="The disk filled up"):
        write_video(tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_no_frame_written(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="No frame was written"), open_video_writer(tmp_path / "a.mp4", 25, SIZE):
        pass
    assert list(tmp_path.iterdir()) == []


def test_frame_of_another_size(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="frame has shape"),
        open_video_writer(tmp_path / "a.mp4", 25, SIZE) as writer,
    ):
        writer.write(np.zeros((10, 10, 3), np.uint8))


def test_unknown_suffix_or_no_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SegppError, match=r"named 'a\.gif'"), open_video_writer(tmp_path / "a.gif", 25, SIZE):
        pass
    wide = np.zeros((9, 9000, 3), np.uint8)  # more than MPEG-4 can say
    with (
        pytest.raises(SegppError, match="Cannot write video") as caught,
        open_video_writer(tmp_path / "a.mp4", 25, Size(9, 9000)) as writer,
    ):
        writer.write(wide)
    assert list(tmp_path.iterdir()) == []
    with open_video_writer(Path(caught.value.fix.removeprefix("Name it ")), 25, Size(9, 9000)) as writer:
        writer.write(wide)
    assert [path.name for path in tmp_path.iterdir()] == ["a.avi"]
