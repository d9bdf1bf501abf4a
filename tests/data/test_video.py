"""Frames go out and come back; nothing half-written stays behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.config import Size
from segpp_deploy.data import video
from segpp_deploy.data.video import is_video_name, open_video_writer, probe_video, read_frames
from segpp_deploy.errors import SegppError

SIZE = Size(48, 64)


def frames(count: int = 5) -> list[np.ndarray]:
    made = []
    for index in range(count):
        frame = np.full((*SIZE.hw, 3), (200, 40, 40 * index), np.uint8)
        frame[:24] = (30, 30, 30)
        made.append(frame)
    return made


def write_video(path: Path, fps: float = 12.5) -> Path:
    with open_video_writer(path, fps, SIZE) as writer:
        for frame in frames():
            writer.write(frame)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".mov"])
def test_round_trip(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"a{suffix}")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    info = probe_video(path)
    assert (info.fps, info.frame_count, info.size) == (12.5, 5, SIZE)
    read = list(read_frames(path))
    assert len(read) == 5
    for got, expected in zip(read, frames(), strict=True):
        assert got.shape == expected.shape
        assert np.abs(got.astype(int) - expected).mean() < 12, "channels swapped or frames out of order"


def test_odd_sizes_lose_their_last_row_and_column(tmp_path: Path) -> None:
    with open_video_writer(tmp_path / "odd.mp4", 25, Size(33, 47)) as writer:
        writer.write(np.zeros((33, 47, 3), np.uint8))
    assert next(read_frames(tmp_path / "odd.mp4")).shape == (32, 46, 3)


def test_reading_is_lazy_and_can_stop(tmp_path: Path) -> None:
    reader = read_frames(write_video(tmp_path / "a.mp4"))
    next(reader)
    reader.close()


def test_unknown_rate_and_length_have_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Capture:
        def __init__(self, _: str) -> None: ...
        def isOpened(self) -> bool:
            return True

        def get(self, _: int) -> float:
            return 0.0

        def read(self) -> tuple[bool, None]:
            return False, None

        def release(self) -> None: ...

    path = tmp_path / "a.mp4"
    path.write_bytes(b"x")
    monkeypatch.setattr(video.cv2, "VideoCapture", Capture)
    info = probe_video(path)
    assert info.fps == video.DEFAULT_FPS
    assert info.frame_count is None
    with pytest.raises(SegppError, match="no readable frame"):
        next(read_frames(path))


@pytest.mark.parametrize("content", [b"this is no video" * 50, b"\x00"])
def test_not_a_video(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    for read in (probe_video, lambda p: next(read_frames(p))):
        with pytest.raises(SegppError, match="not a readable video"):
            read(path)


def test_missing_and_empty(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="No such file"):
        probe_video(tmp_path / "none.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(SegppError, match="0 bytes"):
        next(read_frames(tmp_path / "empty.mp4"))


def test_truncated_video(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(SegppError, match="not a readable video"):
        probe_video(path)


def test_interrupted_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with open_video_writer(path, 25, SIZE) as writer:
            writer.write(frames()[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_lost_frames_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_probe = probe_video

    def two_frames_less(path: Path) -> video.VideoInfo:
        info = real_probe(path)
        return video.VideoInfo(info.fps, (info.frame_count or 0) - 2, info.size)

    monkeypatch.setattr(video, "probe_video", two_frames_less)
    with pytest.raises(SegppError, match="Only 3 of 5 frames"):
        write_video(tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_file_emptied_by_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(path: Path) -> video.VideoInfo:
        raise SegppError("not a video")

    monkeypatch.setattr(video, "probe_video", unreadable)
    with pytest.raises(SegppError, match="Only 0 of 5 frames"):
        write_video(tmp_path / "a.mp4")


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
    monkeypatch.setattr(video.cv2, "VideoWriter", _NoEncoder)
    with pytest.raises(SegppError, match="Cannot start writing"), open_video_writer(tmp_path / "a.mp4", 25, SIZE):
        pass


class _NoEncoder:
    def __init__(self, *arguments: object) -> None: ...

    @staticmethod
    def fourcc(*letters: str) -> int:
        return 0

    def isOpened(self) -> bool:
        return False


def test_video_names() -> None:
    assert is_video_name(Path("a.MP4"))
    assert not is_video_name(Path("a.png"))
