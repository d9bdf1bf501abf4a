"""Work goes on past files that cannot be read: the result is on stdout, the list on stderr, the exit code says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.cli.main import run_command
from segpp_deploy.config import Size
from segpp_deploy.data.images import write_image, write_labels
from segpp_deploy.evaluation import predictor
from tests.support.video_files import cut, damage_packet, encode, flat_frames
from tests.workflows.fake_session import BrightnessSession, make_metadata


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = BrightnessSession(make_metadata(size=Size(32, 32)))
    monkeypatch.setattr(predictor, "open_session", lambda engine, options: fake)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three pictures with labels; the second picture is cut."""
    for name in ("a", "b", "c"):
        write_image(tmp_path / f"images/{name}.png", np.full((32, 32, 3), 255, np.uint8))
        write_labels(tmp_path / f"labels/{name}.png", np.ones((32, 32), np.uint8))
    cut(tmp_path / "images/b.png", 0.5)
    return tmp_path


def run(*words: object) -> int:
    return run_command([*map(str, words)])


def test_predict(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("predict", "e.engine", data / "images", "-o", data / "out", "--json", "-q") == 2
    printed = capsys.readouterr()
    assert [failure["source"] for failure in json.loads(printed.out)["failures"]] == [str(data / "images/b.png")]
    assert printed.err.startswith("1 of 3 pictures could not be read and were left out:")
    assert run("predict", "e.engine", data / "images", "-o", data / "out", "--fail-fast") == 2
    assert capsys.readouterr().out == ""


def test_validate(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("validate", "e.engine", "--data", f"folder:{data}", "--against", "none")
    assert run(*arguments, "--json", "-q") == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out)["images"] == 2
    assert "b.png is not a readable image" in printed.err
    assert run(*arguments, "--max-failures", 0) == 2
    assert capsys.readouterr().out == ""


def test_damaged_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = damage_packet(encode(tmp_path / "drive.mp4", flat_frames(4), options={"g": "1"}), 2)
    arguments = ("predict", "e.engine", video, "-o", tmp_path / "out")
    assert run(*arguments) == 0
    assert f"Warning: {video}: 3 of 4 frames, 1 damaged." in capsys.readouterr().err
    assert run(*arguments, "--strict", "--json") == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["frames"]["damaged"] == 1
    assert f"{video} is damaged" in printed.err
