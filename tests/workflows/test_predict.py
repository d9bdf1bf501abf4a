from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.config import Inference, KeypointRelations, OutputKind, Size, TaskName
from segpp_deploy.data.images import read_image, read_labels, write_image
from segpp_deploy.data.video import FrameCount, probe_video
from segpp_deploy.data.video_reader import open_video
from segpp_deploy.data.video_writer import open_video_writer
from segpp_deploy.errors import CheckFailedError, SegppError
from segpp_deploy.evaluation import predictor
from segpp_deploy.report.json_report import to_json
from segpp_deploy.workflows.predict.options import PredictOptions
from segpp_deploy.workflows.predict.run import run_predict
from tests.support.video_files import cut, damage_packet, encode, flat_frames
from tests.workflows.fake_session import BrightnessSession, make_metadata


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> BrightnessSession:
    fake = BrightnessSession(make_metadata(batch=2))
    monkeypatch.setattr(predictor, "open_session", lambda engine, options: fake)
    return fake


def make_picture(path: Path, value: int = 255) -> Path:
    write_image(path, np.full((40, 60, 3), value, np.uint8))
    return path


def run(tmp_path: Path, source: Path, out: str, **options: object):
    return run_predict(PredictOptions(Path("e.engine"), source, tmp_path / out, **options))


def test_one_picture_to_one_file(tmp_path: Path, session: BrightnessSession) -> None:
    result = run(tmp_path, make_picture(tmp_path / "a.jpg"), "out.png")
    assert (tmp_path / "out.png").is_file()
    assert json.loads(to_json(result.to_dict()))["outputs"] == [
        {"source": str(tmp_path / "a.jpg"), "overlay": str(tmp_path / "out.png"), "labels": None}
    ]
    assert session.closed


def test_directory_gives_overlays_and_labels(tmp_path: Path, session: BrightnessSession) -> None:
    for number, value in enumerate((0, 255, 255)):
        make_picture(tmp_path / f"in/{number}.png", value)
    seen = []
    options = PredictOptions(Path("e"), tmp_path / "in", tmp_path / "out", overlay=True, labels_png=True)
    result = run_predict(options, lambda step, done, total: seen.append((done, total)))
    assert result.images == 3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{number}_{kind}.png" for number in range(3) for kind in ("labels", "overlay")
    ]
    assert [int(read_labels(tmp_path / f"out/{number}_labels.png").max()) for number in range(3)] == [0, 1, 1]
    assert read_labels(tmp_path / "out/0_labels.png").shape == (40, 60)
    assert seen == [(0, 3), (2, 3), (3, 3)]
    assert "3 images in" in result.summary()


@pytest.mark.parametrize(("classes", "dtype"), [(255, np.uint8), (256, np.uint16), (300, np.uint16)])
def test_many_classes(classes: int, dtype: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = BrightnessSession(make_metadata(OutputKind.LOGITS, num_classes=classes))
    monkeypatch.setattr(predictor, "open_session", lambda engine, options: fake)
    run(tmp_path, make_picture(tmp_path / "a.png"), "out", labels_png=True)
    labels = read_labels(tmp_path / "out/a_labels.png")
    assert labels.dtype == dtype
    assert (labels == classes - 1).all()


def test_video_frame_by_frame(tmp_path: Path, session: BrightnessSession) -> None:
    video = tmp_path / "drive.avi"
    with open_video_writer(video, 10.0, Size(48, 64)) as writer:
        for value in (0, 255, 255):
            writer.write(np.full((48, 64, 3), value, np.uint8))
    result = run(tmp_path, video, "out", labels_png=True)
    info = probe_video(tmp_path / "out/drive_overlay.mp4")
    assert (info.frame_count, info.size, info.fps) == (3, Size(48, 64), 10.0)
    labels = sorted((tmp_path / "out/drive_labels").iterdir())
    assert [path.name for path in labels] == ["000001.png", "000002.png", "000003.png"]
    assert result.images == 3


def test_several_results_need_a_directory(tmp_path: Path, session: BrightnessSession) -> None:
    picture = make_picture(tmp_path / "in/a.png")
    for source, labels_png in ((picture, True), (tmp_path / "in", False)):
        with pytest.raises(SegppError, match="is one file, but several") as caught:
            run(tmp_path, source, "out.png", labels_png=labels_png)
        assert caught.value.fix == f"Name a directory, such as {tmp_path / 'out'}"


@pytest.mark.parametrize("name", ["run_0.5", "model_v1.2b", "2026.01-final"])
def test_a_directory_may_hold_a_dot(name: str, tmp_path: Path, session: BrightnessSession) -> None:
    make_picture(tmp_path / "in/a.png")
    run(tmp_path, tmp_path / "in", name)
    assert [path.name for path in (tmp_path / name).iterdir()] == ["a_overlay.png"]


def test_input_is_never_replaced(tmp_path: Path, session: BrightnessSession) -> None:
    picture = make_picture(tmp_path / "a.png")
    before = picture.read_bytes()
    with pytest.raises(SegppError, match="would replace the input"):
        run(tmp_path, picture, "a.png")
    assert picture.read_bytes() == before


def test_pictures_that_differ_in_suffix_only(tmp_path: Path, session: BrightnessSession) -> None:
    for name in ("a.jpg", "a.bmp"):
        make_picture(tmp_path / "in" / name)
    with pytest.raises(SegppError, match="would both be written to"):
        run(tmp_path, tmp_path / "in", "out")
    assert not (tmp_path / "out").exists()


def test_missing_source(tmp_path: Path, session: BrightnessSession) -> None:
    with pytest.raises(SegppError, match="No such file or directory"):
        run(tmp_path, tmp_path / "nothing", "out")


def test_a_damaged_frame_is_left_out_and_counted(tmp_path: Path, session: BrightnessSession) -> None:
    video = damage_packet(encode(tmp_path / "drive.mp4", flat_frames(8), options={"g": "1"}), 3)
    result = run(tmp_path, video, "out", labels_png=True)
    assert result.frames == FrameCount(read=7, damaged=1)
    assert result.images == 7
    assert any("7 of 8 frames, 1 damaged" in note for note in result.notes)
    document = json.loads(to_json(result.to_dict()))
    assert document["frames"] == {
        **{"read": 7, "damaged": 1, "missing": 0, "repaired": 0, "resized": 0},
        "expected": 8,
    }
    names = [path.name for path in sorted((tmp_path / "out/drive_labels").iterdir())]
    assert names == [f"{number:06d}.png" for number in (1, 2, 3, 5, 6, 7, 8)]
    with open_video(tmp_path / "out/drive_overlay.mp4") as overlay:
        assert [round(float(frame.time_s), 3) for frame in overlay] == [0, 0.1, 0.2, 0.4, 0.5, 0.6, 0.7]
    result.require_complete()
    with pytest.raises(CheckFailedError, match=r"drive\.mp4 is damaged: 7 of 8 frames"):
        result.require_complete(strict=True)


def test_a_whole_video_is_complete(tmp_path: Path, session: BrightnessSession) -> None:
    result = run(tmp_path, encode(tmp_path / "odd.avi", flat_frames(3, (33, 47)), "mjpeg", "yuvj420p"), "out")
    result.require_complete(strict=True)
    assert result.notes == ()
    assert probe_video(tmp_path / "out/odd_overlay.mp4").size == Size(33, 47)


def test_an_unreadable_picture_ends_no_run(tmp_path: Path, session: BrightnessSession) -> None:
    for name in ("a", "b", "c"):
        make_picture(tmp_path / f"in/{name}.png")
    cut(tmp_path / "in/b.png", 0.5)
    seen = []
    options = PredictOptions(Path("e"), tmp_path / "in", tmp_path / "out")
    result = run_predict(options, lambda step, done, total: seen.append((done, total)))
    assert [written.source.name for written in result.outputs] == ["a.png", "c.png"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a_overlay.png", "c_overlay.png"]
    failures = json.loads(to_json(result.to_dict()))["failures"]
    assert [failure["source"] for failure in failures] == [str(tmp_path / "in/b.png")]
    assert "in the middle of the picture" in failures[0]["reason"]
    assert seen[-1] == (3, 3)
    with pytest.raises(SegppError, match=r"1 of 3 pictures could not be read and were left out:\n.*b\.png") as caught:
        result.require_complete()
    assert caught.value.exit_code == 2


def test_fail_fast(tmp_path: Path, session: BrightnessSession) -> None:
    for name in ("a", "b"):
        cut(make_picture(tmp_path / f"in/{name}.png"), 0.5)
    with pytest.raises(SegppError, match=r"a\.png is not a readable image"):
        run_predict(PredictOptions(Path("e"), tmp_path / "in", tmp_path / "out", fail_fast=True))


def test_what_a_directory_holds_besides_is_named(tmp_path: Path, session: BrightnessSession) -> None:
    make_picture(tmp_path / "in/a.png")
    (tmp_path / "in/deeper").mkdir()
    for name in ("b.psd", "c.PSD", "notes", ".hidden", "Thumbs.db"):
        (tmp_path / "in" / name).touch()
    assert run(tmp_path, tmp_path / "in", "out").notes == (
        f"Not read in {tmp_path / 'in'}: .psd: 2 (b.psd, c.PSD); directories: 1 (deeper); without suffix: 1 (notes).",
    )


def test_unreadable_picture_names_itself(tmp_path: Path, session: BrightnessSession) -> None:
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    with pytest.raises(SegppError, match=r"bad\.png is not a readable image"):
        run(tmp_path, tmp_path / "bad.png", "out")


def test_a_pose_model_draws_keypoints_and_says_what_it_assumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = BrightnessSession(make_metadata(OutputKind.HEATMAPS, task=TaskName.POSE))
    monkeypatch.setattr(predictor, "open_session", lambda engine, options: fake)
    source = make_picture(tmp_path / "a.png", 90)
    result = run(tmp_path, source, "out.png")
    assert result.notes == ("Assumed: each picture shows one person, who fills it.",)
    assert (tmp_path / "out.png").is_file()
    with pytest.raises(SegppError, match="pose model gives no label"):
        run(tmp_path, source, "labels.png", overlay=False, labels_png=True)
    assert not (tmp_path / "labels.png").exists()


@pytest.fixture
def pose_session(monkeypatch: pytest.MonkeyPatch) -> BrightnessSession:
    metadata = make_metadata(OutputKind.HEATMAPS, batch=2, size=Size(64, 64), task=TaskName.POSE)
    relations = KeypointRelations(flip_pairs=((0, 1),), skeleton=((0, 1),))
    fake = BrightnessSession(replace(metadata, training=replace(metadata.training, keypoints=relations)))
    monkeypatch.setattr(predictor, "open_session", lambda engine, options: fake)
    return fake


def spot(path: Path, *places_xy: tuple[int, int]) -> Path:
    """A dark picture with bright spots."""
    rgb = np.zeros((120, 200, 3), np.uint8)
    for x, y in places_xy:
        rgb[y - 4 : y + 5, x - 4 : x + 5] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, rgb)
    return path


def test_persons_in_boxes(tmp_path: Path, pose_session: BrightnessSession) -> None:
    spot(tmp_path / "in/7.png", (50, 60), (150, 50))
    spot(tmp_path / "in/b.png")
    boxes = tmp_path / "boxes.json"
    found = [
        {"image_id": 7, "bbox": [30, 30, 50, 60], "score": 0.5},
        {"file_name": "7.png", "bbox": [120, 20, 60, 60]},
    ]
    boxes.write_text(json.dumps(found))
    result = run(tmp_path, tmp_path / "in", "out", boxes=boxes, keypoints=True)
    assert result.notes == ("Pictures without a box, in which nobody was looked for: 1.",)
    assert result.keypoints == tmp_path / "out/in_keypoints.json"
    assert [shape[0] for shape in pose_session.shapes] == [2], "both persons share a batch of two"
    first, second = json.loads(result.keypoints.read_text())
    assert (first["image_id"], first["file_name"], first["category_id"]) == (7, "7.png", 1)
    assert np.abs(np.array(first["keypoints"][3:5]) - (50, 60)).max() < 4
    assert np.abs(np.array(second["keypoints"][3:5]) - (150, 50)).max() < 4
    assert (first["bbox"], second["bbox"]) == ([30, 30, 50, 60], [120, 20, 60, 60])
    assert first["score"] == pytest.approx(0.5 * first["keypoints"][5], rel=1e-3)
    drawn = read_image(tmp_path / "out/7_overlay.png")
    assert (drawn != read_image(tmp_path / "in/7.png")).any()
    np.testing.assert_array_equal(read_image(tmp_path / "out/b_overlay.png"), read_image(tmp_path / "in/b.png"))


def test_persons_in_frames(tmp_path: Path, pose_session: BrightnessSession) -> None:
    video = tmp_path / "run.avi"
    with open_video_writer(video, 10.0, Size(120, 200)) as writer:
        for x in (40, 80, 120):
            writer.write(read_image(spot(tmp_path / "frame.png", (x, 60))))
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"frame": n, "bbox": [20 + 40 * (n - 1), 30, 40, 60]} for n in (1, 3)]))
    result = run(tmp_path, video, "found.json", boxes=boxes, keypoints=True, overlay=False)
    entries = json.loads((tmp_path / "found.json").read_text())
    assert [entry["image_id"] for entry in entries] == [1, 3]
    for entry, x in zip(entries, (40, 120), strict=True):
        assert np.abs(np.array(entry["keypoints"][3:5]) - (x, 60)).max() < 5
    assert result.images == 3


def test_the_flip_test_looks_twice(tmp_path: Path, pose_session: BrightnessSession) -> None:
    run(tmp_path, spot(tmp_path / "a.png", (100, 60)), "out.png", inference=Inference.FLIP)
    assert sum(shape[0] for shape in pose_session.shapes) == 2


@pytest.mark.parametrize("asked", [{"keypoints": True}, {"boxes": Path("boxes.json")}])
def test_segmentation_knows_no_persons(tmp_path: Path, session: BrightnessSession, asked: dict[str, object]) -> None:
    with pytest.raises(SegppError, match="finds no keypoints") as caught:
        run(tmp_path, make_picture(tmp_path / "a.png"), "out", **asked)
    assert f"--{next(iter(asked))}" in caught.value.fix


def test_sliding_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = BrightnessSession(make_metadata(OutputKind.LOGITS))
    monkeypatch.setattr(predictor, "open_session", lambda engine, options: fake)
    source = spot(tmp_path / "a.png", (100, 60))
    run(tmp_path, source, "out.png", overlay=False, labels_png=True, inference=Inference.SLIDE)
    assert len(fake.shapes) > 1
    labels = read_labels(tmp_path / "out.png")
    assert labels.shape == (120, 200)
    assert labels[60, 100] == 1
