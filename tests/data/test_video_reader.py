"""Whatever of a video can be decoded is read, upright and in time; what cannot is counted."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.config import Size
from segpp_deploy.data.video import FrameCount, VideoFrame, is_video_file, is_video_name, probe_video, read_frames
from segpp_deploy.data.video_reader import open_video
from segpp_deploy.errors import SegppError
from tests.support.video_files import cut, damage_packet, encode, flat_frames, turn


def read(path: Path) -> tuple[list[VideoFrame], FrameCount]:
    with open_video(path) as video:
        return list(video), video.count


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def test_a_whole_video(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", flat_frames(5))
    frames, count = read(path)
    assert count == FrameCount(read=5)
    assert count.is_whole
    assert [frame.number for frame in frames] == [1, 2, 3, 4, 5]
    assert [frame.time_s for frame in frames] == [Fraction(i, 10) for i in range(5)]
    assert all(distance(got.rgb, sent) < 12 for got, sent in zip(frames, flat_frames(5), strict=True))
    info = probe_video(path)
    assert (info.fps, info.frame_count, info.size) == (10, 5, Size(48, 64))


@pytest.mark.parametrize(("suffix", "codec", "pixels"), [(".mp4", "mpeg4", "yuv420p"), (".avi", "mjpeg", "yuvj420p")])
def test_frames_after_a_damaged_one_are_read(tmp_path: Path, suffix: str, codec: str, pixels: str) -> None:
    path = encode(tmp_path / f"a{suffix}", flat_frames(8), codec, pixels, {"g": "1"})
    frames, count = read(damage_packet(path, 3))
    assert count == FrameCount(read=7, damaged=1)
    assert count.describe() == "7 of 8 frames, 1 damaged"
    assert [frame.number for frame in frames] == [1, 2, 3, 5, 6, 7, 8]
    assert [frame.time_s for frame in frames] == [Fraction(i, 10) for i in (0, 1, 2, 4, 5, 6, 7)]
    assert distance(frames[3].rgb, flat_frames(8)[4]) < 12


def test_a_video_that_breaks_off_with_its_index_in_front(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", flat_frames(10), options={"g": "1"}, movflags="+faststart")
    with open_video(path) as video:
        whole = len(path.read_bytes())
        assert video.count.missing == 0
    _, count = read(cut(path, 0.8))
    assert len(path.read_bytes()) < whole
    assert 0 < count.read < 10
    assert count.expected == 10
    assert count.missing + count.damaged + count.repaired > 0


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "mjpeg"), ("a.mkv", "mjpeg")])
def test_a_video_that_breaks_off(tmp_path: Path, name: str, codec: str) -> None:
    noise = list(np.random.default_rng(0).integers(0, 256, (10, 48, 64, 3)).astype(np.uint8))
    _, count = read(cut(encode(tmp_path / name, noise, codec, "yuvj420p"), 0.5))
    assert 3 <= count.read <= 6
    assert count.expected == 10
    assert "missing at the end" in count.describe()


def test_an_index_that_was_never_written(tmp_path: Path) -> None:
    path = cut(encode(tmp_path / "a.mp4", flat_frames(10)), 0.5)
    with pytest.raises(SegppError, match=r"a\.mp4 has no index \(moov\)"):
        read(path)


def test_irregular_times(tmp_path: Path) -> None:
    from segpp_deploy.data.video_writer import open_video_writer

    times = [Fraction(0), Fraction(1), Fraction(3, 2), Fraction(8, 5)]
    with open_video_writer(tmp_path / "a.mp4", 10, Size(48, 64), Fraction(1, 1000)) as writer:
        for rgb, time_s in zip(flat_frames(4), times, strict=True):
            writer.write(rgb, time_s)
    frames, count = read(tmp_path / "a.mp4")
    assert [frame.time_s for frame in frames] == times
    assert count.is_whole


@pytest.mark.parametrize(
    ("matrix", "corner"),
    [
        ((0, 1, -1, 0), (0, -1)),  # a quarter clockwise: what was top left is top right
        ((0, -1, 1, 0), (-1, 0)),
        ((-1, 0, 0, -1), (-1, -1)),
        ((-1, 0, 0, 1), (0, -1)),  # mirrored, as some front cameras do
    ],
)
def test_frames_are_turned_upright(tmp_path: Path, matrix: tuple[int, ...], corner: tuple[int, int]) -> None:
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:16, :16] = 255
    frames, _ = read(turn(encode(tmp_path / "a.mp4", [frame] * 2), *matrix))
    assert frames[0].rgb.shape == ((48, 64, 3) if matrix[0] else (64, 48, 3))
    assert frames[0].rgb[corner].min() > 200
    assert (frames[0].rgb > 127).mean() < 0.12


def test_recordings_of_different_sizes_joined(tmp_path: Path) -> None:
    parts = [
        encode(tmp_path / f"{hw[0]}.ts", flat_frames(5, hw), "mpeg2video", options={"bf": "2"})
        for hw in ((48, 64), (96, 128))
    ]
    joined = tmp_path / "joined.mpg"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, count = read(joined)
    assert (count.read, count.resized, count.damaged) == (10, 5, 0)
    assert {frame.rgb.shape for frame in frames} == {(48, 64, 3)}
    assert [frame.time_s for frame in frames] == [Fraction(i, 10) for i in range(10)]


def test_ten_bits_and_odd_sizes(tmp_path: Path) -> None:
    sent = flat_frames(2, (33, 47))
    frames, _ = read(encode(tmp_path / "a.mkv", sent, "ffv1", "yuv444p10le"))
    assert frames[1].rgb.shape == (33, 47, 3)
    assert distance(frames[1].rgb, sent[1]) < 2


@pytest.mark.parametrize("name", ["take%03d.mp4", "a b%20c.mp4", "Straße #1: 道路.mp4", "take%03d.gif"])
def test_names_have_no_other_meaning(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = ("gif", "rgb8") if name.endswith(".gif") else ("mpeg4", "yuv420p")
    encode(tmp_path / name, flat_frames(3), *codec)
    monkeypatch.chdir(tmp_path)
    assert len(list(read_frames(Path(name)))) == 3


def test_a_gif_is_a_video_if_it_moves(tmp_path: Path) -> None:
    assert is_video_file(encode(tmp_path / "moves.gif", flat_frames(3), "gif", "rgb8"))
    assert not is_video_file(encode(tmp_path / "still.gif", flat_frames(1), "gif", "rgb8"))
    assert not is_video_file(tmp_path / "none.mp4")


@pytest.mark.parametrize("content", [b"this is no video" * 50, b"\x00"])
def test_not_a_video(tmp_path: Path, content: bytes) -> None:
    (path := tmp_path / "a.mp4").write_bytes(content)
    for attempt in (probe_video, read):
        with pytest.raises(SegppError, match="not a readable video"):
            attempt(path)


def test_missing_and_empty(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="No such file"):
        probe_video(tmp_path / "none.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(SegppError, match="0 bytes"):
        next(read_frames(tmp_path / "empty.mp4"))


def test_no_readable_frame(tmp_path: Path) -> None:
    path = damage_packet(encode(tmp_path / "a b.mp4", flat_frames(1)), 0)
    with pytest.raises(SegppError, match="no readable frame") as caught:
        read(path)
    assert f"'{path}'" in caught.value.fix


def test_reading_is_lazy_and_can_stop(tmp_path: Path) -> None:
    reader = read_frames(encode(tmp_path / "a.mp4", flat_frames(3)))
    next(reader)
    reader.close()


def test_damage_never_escapes_as_another_error(tmp_path: Path) -> None:
    data = encode(tmp_path / "a.ts", flat_frames(6), "mpeg2video").read_bytes()
    random = np.random.default_rng(0)
    for attempt in range(25):
        damaged = np.frombuffer(data, np.uint8).copy()
        damaged[random.integers(0, len(data), 1 + 8 * attempt)] = 0
        (tmp_path / "b.ts").write_bytes(damaged.tobytes())
        try:
            frames, count = read(tmp_path / "b.ts")
        except SegppError:
            continue
        assert count.read == len(frames)


def test_video_names() -> None:
    assert is_video_name(Path("a.MP4"))
    assert not is_video_name(Path("a.png"))
