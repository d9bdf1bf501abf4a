from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from segpp_deploy.config import Size
from segpp_deploy.data.live_reader import LiveReader
from segpp_deploy.data.live_source import Drop, LiveSource, parse_source_name
from segpp_deploy.data.places import Uri
from segpp_deploy.data.video_writer import open_video_writer
from segpp_deploy.errors import SegppError
from tests.support.live_streams import free_port, serve_folder, serve_parts, stream_pictures

FRAMES = 12


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A video whose frames get brighter by 20."""
    path = tmp_path / "steps.mkv"
    with open_video_writer(path, 25, Size(32, 64)) as writer:
        for number in range(FRAMES):
            writer.write(np.full((32, 64, 3), 20 * number, np.uint8))
    return path


def test_every_frame_is_given_where_none_may_be_dropped(video: Path) -> None:
    with serve_folder(video.parent) as url, LiveReader(LiveSource(url + video.name), Drop.NONE, patience_s=0) as reader:
        frames = []
        with pytest.raises(SegppError, match=f"broke off after {FRAMES} frames: it ended"):
            frames.extend(reader)
    assert [frame.number for frame in frames] == list(range(1, FRAMES + 1))
    assert [round(float(frame.rgb.mean()) / 20) for frame in frames] == list(range(FRAMES))
    assert (reader.count.received, reader.count.dropped) == (FRAMES, 0)


def test_only_the_newest_frame_waits(video: Path) -> None:
    with serve_folder(video.parent) as url, LiveReader(LiveSource(url + video.name), patience_s=0) as reader:
        reader._thread.join(20)  # all frames have come before one is asked for
        frames = []
        with pytest.raises(SegppError, match="broke off"):
            frames.extend(reader)
    count = reader.count
    assert count.received >= FRAMES - 2  # what was read to find out what the stream is may be lost
    assert [frame.number for frame in frames] == [count.received]
    assert count.dropped == count.received - 1
    assert round(float(frames[0].rgb.mean()) / 20) == FRAMES - 1


def test_a_source_that_comes_back_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segpp_deploy.data.live_reader._READ_S", 1.0)
    port = free_port()
    with stream_pictures(60, port=port) as address:
        reader = LiveReader(LiveSource(address))
        reader.__enter__()
        frames = iter(reader)
        first = next(frames)
    before = reader.count.received
    with stream_pictures(60, port=port):
        later = next(frame for frame in frames if frame.number > before + 3)
        count = reader.count
        reader.__exit__()
    assert count.reconnects == 1
    assert later.arrived_s > first.arrived_s
    assert later.rgb.shape == (32, 64, 3)


class CountedPackets:
    """A container that counts what it gave."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self.streams = container.streams
        self.given = 0

    def demux(self, stream: Any) -> Iterator[Any]:
        for packet in self._container.demux(stream):
            self.given += 1
            yield packet


@pytest.mark.parametrize(("drop", "packets"), [(Drop.LATEST, 1), (Drop.NONE, 2)])
def test_the_decoder_holds_nothing_back(drop: Drop, packets: int, tmp_path: Path) -> None:
    path = tmp_path / "steps.mkv"
    with av.open(path, "w") as written:
        stream = written.add_stream("mpeg2video", rate=25, width=64, height=32, pix_fmt="yuv420p")
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.full((32, 64, 3), 20 * number, np.uint8), "rgb24")
            written.mux(stream.encode(frame))
        written.mux(stream.encode(None))
    with av.open(path) as container:
        counted = CountedPackets(container)
        next(LiveReader(LiveSource("tcp://unused"), drop)._frames(counted))
    assert counted.given == packets


def jpeg(brightness: int) -> bytes:
    _, content = cv2.imencode(".jpg", np.full((32, 64, 3), brightness, np.uint8))
    return content.tobytes()


def test_a_damaged_frame_is_left_out() -> None:
    """One lost packet is no reason to connect again, which takes seconds."""
    parts = [jpeg(20 * number) for number in range(FRAMES)]
    parts[6] = b"\xff\xd8 damaged \xff\xd9"
    with serve_parts(parts) as address, LiveReader(LiveSource(address), Drop.NONE, patience_s=0) as reader:
        frames = []
        with pytest.raises(SegppError, match=f"broke off after {FRAMES - 1} frames"):
            frames.extend(reader)
    seen = [round(float(frame.rgb.mean()) / 20) for frame in frames]
    assert seen == [number for number in range(FRAMES) if number != 6]
    assert (reader.count.damaged, reader.count.reconnects) == (1, 0)


def test_a_source_that_is_only_damaged_is_refused() -> None:
    parts = [b"\xff\xd8 damaged \xff\xd9"] * 200
    with serve_parts(parts) as address, LiveReader(LiveSource(address)) as reader, pytest.raises(SegppError) as caught:
        next(iter(reader))
    assert "gives no frames" in caught.value.what


def test_a_source_that_is_not_there_is_refused_at_once() -> None:
    began = time.monotonic()
    with LiveReader(LiveSource(f"http://127.0.0.1:{free_port()}/none")) as reader, pytest.raises(SegppError) as caught:
        next(iter(reader))
    assert "gives no frames" in caught.value.what
    assert time.monotonic() - began < 10


def test_closing_ends_the_thread() -> None:
    with stream_pictures(60) as address:
        with LiveReader(LiveSource(address), Drop.NONE) as reader:
            next(iter(reader))
        assert not reader._thread.is_alive()
        assert "live" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(
    "name", ["rtsp://a/b", "RTSPS://a:554/b?c=1", "http://a/b", "udp://0.0.0.0:1234", "/dev/video0"]
)
def test_what_is_live(name: str) -> None:
    assert parse_source_name(name) == LiveSource(name)


@pytest.mark.parametrize("name", ["frames", "a.mp4", "/dev/null", "/dev/videos", "rtsp"])
def test_what_is_not(name: str) -> None:
    assert parse_source_name(name) == Path(name)


@pytest.mark.parametrize("name", ["file:///a.mp4", "s3://a/b"])
def test_what_is_in_a_store(name: str) -> None:
    assert parse_source_name(name) == Uri(name)


def test_passwords_are_not_shown() -> None:
    source = LiveSource("rtsp://user:secret@10.0.0.1/cam")
    assert str(source) == "rtsp://10.0.0.1/cam"
    assert "secret" not in source.stem
