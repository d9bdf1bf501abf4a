from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from segpp_deploy.cli.main import run_command
from segpp_deploy.data.live_source import Drop, LiveSource
from segpp_deploy.data.video import probe_video, read_frames
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation import predictor
from segpp_deploy.report.json_report import to_json
from segpp_deploy.workflows.predict.live import run_live
from segpp_deploy.workflows.predict.mjpeg_server import parse_address
from segpp_deploy.workflows.predict.options import LiveOptions
from tests.support.live_streams import free_port, stream_pictures
from tests.workflows.fake_session import BrightnessSession, make_metadata

ENGINE_S = 0.1


class SlowSession(BrightnessSession):
    """Takes its time, as long as an engine of ten frames a second; `calls` may end it."""

    def __init__(self, ends_after: int = 1 << 30) -> None:
        super().__init__(make_metadata())
        self._ends_after = ends_after

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        time.sleep(ENGINE_S)
        if len(self.shapes) == self._ends_after:
            raise KeyboardInterrupt
        return super().run(images)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> SlowSession:
    slow = SlowSession()
    monkeypatch.setattr(predictor, "open_session", lambda *_: slow)
    return slow


def test_the_newest_frame_is_looked_at(session: SlowSession, tmp_path: Path) -> None:
    with stream_pictures(40) as address:
        result = run_live(LiveOptions(Path("e"), LiveSource(address), tmp_path / "seen.mp4", seconds=2.5))
    assert result.lag_ms is not None
    period_ms = 1000 * result.seconds / result.looked_at
    assert result.lag_ms.p95 < 2 * period_ms
    assert result.count.dropped > 0
    assert result.count.received == pytest.approx(result.looked_at + result.count.dropped, abs=1)
    assert any("frames were dropped" in note for note in result.notes)
    document = json.loads(to_json(result.to_dict()))
    assert document["looked_at"] == result.looked_at
    assert set(document["lag_ms"]) == {"median", "p95", "max"}
    assert session.closed

    frames = list(read_frames(tmp_path / "seen.mp4"))
    assert len(frames) == result.looked_at
    assert frames[0].shape == (32, 64, 3)
    assert probe_video(tmp_path / "seen.mp4").frame_count == result.looked_at


def test_frames_end_it(session: SlowSession, tmp_path: Path) -> None:
    with stream_pictures(40) as address:
        result = run_live(LiveOptions(Path("e"), LiveSource(address), tmp_path, frames=3, drop=Drop.NONE))
    assert result.looked_at == 3
    assert result.overlay is not None
    assert result.overlay.parent == tmp_path
    assert result.overlay.name.endswith("_overlay.mp4")


def test_ctrl_c_ends_it_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(predictor, "open_session", lambda *_: SlowSession(ends_after=2))
    with stream_pictures(40) as address:
        result = run_live(LiveOptions(Path("e"), LiveSource(address), tmp_path / "seen.mp4"))
    assert result.looked_at == 2
    assert "Ended by Ctrl-C." in result.notes
    assert len(list(read_frames(tmp_path / "seen.mp4"))) == 2


def test_browsers_see_it(session: SlowSession) -> None:
    port, seen = free_port(), []

    def look(step: str, done: int, total: int) -> None:
        if done == 2:
            seen.append(urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).read())
            seen.append(urllib.request.urlopen(f"http://127.0.0.1:{port}/stream", timeout=5))

    with stream_pictures(40) as address:
        run_live(LiveOptions(Path("e"), LiveSource(address), serve=f":{port}", frames=8), look)
    assert b"<img" in seen[0]
    body = seen[1].read()
    assert body.startswith(b"--frame\r\nContent-Type: image/jpeg")
    assert body.count(b"\xff\xd8\xff") >= 2


def test_a_source_that_gives_nothing_leaves_no_file(session: SlowSession, tmp_path: Path) -> None:
    options = LiveOptions(Path("e"), LiveSource(f"http://127.0.0.1:{free_port()}/none"), tmp_path / "seen.mp4")
    with pytest.raises(SegppError, match="gives no frames"):
        run_live(options)
    assert list(tmp_path.iterdir()) == []


def test_something_must_be_seen_of_it() -> None:
    with pytest.raises(SegppError, match="Nothing would be seen"):
        LiveOptions(Path("e"), LiveSource("rtsp://a"))
    for changes in ({"seconds": 0.0}, {"frames": -1}):
        with pytest.raises(SegppError, match="sees nothing"):
            LiveOptions(Path("e"), LiveSource("rtsp://a"), show=True, **changes)


@pytest.mark.parametrize("text", ["8080", ":a", ":99999", ""])
def test_bad_addresses(text: str) -> None:
    with pytest.raises(SegppError, match="no address to serve at"):
        parse_address(text)


def test_a_port_that_is_taken(session: SlowSession) -> None:
    with stream_pictures(5) as address:
        port = address.split(":")[2].split("/")[0]
        with pytest.raises(SegppError, match="Nothing can be served"):
            run_live(LiveOptions(Path("e"), LiveSource(address), serve=f":{port}"))


@pytest.mark.parametrize("option", ["--labels-png", "--keypoints", "--strict", "--fail-fast", "--boxes=a.json"])
def test_options_of_files_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["predict", "none.engine", "rtsp://127.0.0.1/cam", option]) == 2
    assert "is for files" in capsys.readouterr().err


def test_frames_arrive_as_they_are(session: SlowSession, tmp_path: Path) -> None:
    with stream_pictures(40) as address:
        run_live(LiveOptions(Path("e"), LiveSource(address), tmp_path / "seen.mp4", frames=1))
    assert session.shapes == [(1, 32, 64, 3)]
    (frame,) = read_frames(tmp_path / "seen.mp4")
    assert np.abs(frame[:, :16].astype(int) - frame[:, -16:]).mean() > 30  # the two halves differ, as in the source
