"""Many files: results that are known are left out, and what is taken apart gives the same as one process.

A stand-in for the cluster works here, in batches, out of order and some of them twice; `benchmarks/toolchain/fleet.py`
does the same with Ray.
"""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import onnx
import pytest

from segpp_deploy.cli.main import run_command
from segpp_deploy.config import OutputKind, Size
from segpp_deploy.data.images import write_image, write_labels
from segpp_deploy.data.places import Uri
from segpp_deploy.errors import SegppError
from segpp_deploy.report.json_report import to_json
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.predict import fleet as predict_fleet
from segpp_deploy.workflows.predict.options import PredictOptions
from segpp_deploy.workflows.predict.result import PredictResult
from segpp_deploy.workflows.predict.run import run_predict
from segpp_deploy.workflows.validate import fleet as validate_fleet
from segpp_deploy.workflows.validate.options import Against, RecordOptions, ValidateOptions
from segpp_deploy.workflows.validate.run import run_validate
from tests.support.tiny_graphs import tiny_metadata, tiny_model

PICTURES = 11


def build(folder: Path, name: str, **metadata: Any) -> Path:
    model = tiny_model(described := tiny_metadata(**metadata))
    for value in (*model.graph.input, *model.graph.output) if described.output_kind is OutputKind.LABELS else ():
        for dim, pixels in zip(value.type.tensor_type.shape.dim[1:3], described.size.hw, strict=True):
            dim.dim_value = pixels
    onnx.save(model, folder / f"{name}.onnx")
    return run_build(folder / f"{name}.onnx", folder / f"{name}.engine", BuildOptions(TargetName.CPU, threads=1)).path


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives thirds of brightness, two pictures at a time."""
    return build(tmp_path_factory.mktemp("engine"), "thirds", batch=2)


@pytest.fixture(scope="module")
def logits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Gives the strongest channel."""
    return build(tmp_path_factory.mktemp("engine"), "channels", output_kind=OutputKind.LOGITS)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Pictures of noise, in thirds of brightness, and labels of their own; one picture is damaged."""
    noise = np.random.default_rng(0)
    for number in range(PICTURES):
        rgb = noise.integers(0, 256, (64, 96, 3), np.uint8)
        write_image(tmp_path / f"data/images/{number:02}.png", rgb)
        write_labels(tmp_path / f"data/labels/{number:02}.png", noise.integers(0, 3, (64, 96), np.uint8))
    (tmp_path / "data/images/04.png").write_bytes(b"no picture")
    return tmp_path / "data/images"


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put batches of three through one worker, in any order; two are done twice, as if a worker had died."""

    def run(
        address: str, jobs: Sequence[Any], open_worker: Callable[[], Callable[[Any], Any]], needs: object
    ) -> Iterator[Any]:
        worker = open_worker()
        batches = [pickle.loads(pickle.dumps(list(jobs[place : place + 3]))) for place in range(0, len(jobs), 3)]
        for batch in batches[:2]:
            worker(batch)
        random.Random(1).shuffle(batches)
        for batch in batches:
            yield pickle.loads(pickle.dumps(worker(batch)))

    for module in (predict_fleet, validate_fleet):
        monkeypatch.setattr(module, "run_on_ray", run)


def predict(engine: Path, source: Path, out: Path, **options: Any) -> PredictResult:
    return run_predict(PredictOptions(engine, source, out, labels_png=True, **options))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}


def test_what_is_done_is_not_done_again(engine: Path, pictures: Path, tmp_path: Path) -> None:
    first = predict(engine, pictures, tmp_path / "out", resume=True)
    assert (first.images, first.already_done, len(first.failures)) == (PICTURES - 1, 0, 1)
    written = contents(tmp_path / "out")
    assert len(written) == 3 * (PICTURES - 1)
    assert written.keys() >= {"00_overlay.png", "00_labels.png", "made_of/00.png.json"}
    for path in (tmp_path / "out").glob("*.png"):
        path.touch()
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    again = predict(engine, pictures, tmp_path / "out", resume=True)
    assert (again.images, again.already_done, len(again.failures)) == (0, PICTURES - 1, 1)
    assert again.outputs == first.outputs
    assert "10 more were already done" in again.summary()
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}


def test_what_changed_is_done_again(engine: Path, logits: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict(engine, pictures, out, resume=True)
    whole = contents(out)
    (out / "00_labels.png").unlink()
    (out / "01_overlay.png").write_bytes(b"another")
    (out / "made_of/02.png.json").write_text('{"key": ')
    (out / "made_of/03.png.json").write_text('{"key": "", "files": [], "people": []}')
    (pictures / "06.png").write_bytes((pictures / "05.png").read_bytes())
    assert predict(engine, pictures, out, resume=True).images == 5
    assert {name for name, data in contents(out).items() if whole[name] != data} == {
        "06_labels.png",
        "06_overlay.png",
        "made_of/06.png.json",
    }
    assert predict(logits, pictures, out, resume=True).images == PICTURES - 1


def test_results_that_came_later_are_not_taken_for_known(
    engine: Path, logits: Path, pictures: Path, tmp_path: Path
) -> None:
    predict(engine, pictures, tmp_path / "out", resume=True)
    expected = contents(tmp_path / "out")
    predict(logits, pictures, tmp_path / "out")
    assert predict(engine, pictures, tmp_path / "out", resume=True).images == PICTURES - 1
    assert contents(tmp_path / "out") == expected


def test_more_results_than_before(engine: Path, pictures: Path, tmp_path: Path) -> None:
    options = PredictOptions(engine, pictures, tmp_path / "out", resume=True)
    run_predict(options)
    assert run_predict(options).images == 0
    assert run_predict(replace(options, labels_png=True)).images == PICTURES - 1
    assert run_predict(replace(options, overlay=False, labels_png=True)).images == 0


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("resume", [False, True])
def test_a_fleet_predicts_what_one_process_does(resume: bool, engine: Path, pictures: Path, tmp_path: Path) -> None:
    (pictures / "07.png").write_bytes(b"nor this")
    here = predict(engine, pictures, tmp_path / "here", resume=resume)
    there = predict(engine, pictures, tmp_path / "there", resume=resume, ray="stand-in")
    assert contents(tmp_path / "here") == contents(tmp_path / "there")
    assert [one.source for one in there.outputs] == [one.source for one in here.outputs]
    assert there.failures.to_list() == here.failures.to_list()
    assert list(there.failures.errors) == [str(pictures / "04.png"), str(pictures / "07.png")]
    assert there.images + there.already_done == here.images
    with pytest.raises(SegppError, match="2 of 11 pictures could not be read"):
        there.require_complete()
    if resume:
        assert predict(engine, pictures, tmp_path / "there", resume=True, ray="stand-in").images == 0


@pytest.mark.usefixtures("stand_in")
def test_a_fleet_ends_at_the_first_failure_where_it_shall(engine: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(SegppError, match=r"04\.png is not a readable image"):
        predict(engine, pictures, tmp_path / "out", ray="stand-in", fail_fast=True)


@pytest.mark.usefixtures("stand_in")
def test_a_fleet_tells_what_readers_found(engine: Path, pictures: Path, tmp_path: Path) -> None:
    (pictures / "notes.txt").write_text("no picture")
    here, there = (predict(engine, pictures, tmp_path / str(ray), ray=ray) for ray in (None, "stand-in"))
    assert here.notes == there.notes
    assert "notes.txt" in here.notes[-1]


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("ray", [None, "stand-in"])
def test_poses_are_looked_at_too(ray: str | None, pictures: Path, tmp_path: Path) -> None:
    pose = build(tmp_path, "pose", output_kind=OutputKind.HEATMAPS)
    (tmp_path / "boxes.json").write_text(
        json.dumps([{"file_name": f"{number:02}.png", "bbox": [number, 2, 30, 40]} for number in range(0, PICTURES, 2)])
    )
    options = PredictOptions(pose, pictures, tmp_path / "out", keypoints=True, boxes=tmp_path / "boxes.json", ray=ray)
    once = run_predict(replace(options, resume=True, out=tmp_path / "known"))
    known = run_predict(replace(options, resume=True, out=tmp_path / "known"))
    assert (once.images, known.images, known.already_done) == (10 if ray is None else 5, 0, 10)
    assert once.keypoints is not None
    found = json.loads(Path(str(once.keypoints)).read_text())
    assert [entry["image_id"] for entry in found] == [0, 2, 6, 8, 10]
    plain = run_predict(replace(options, ray=None))
    assert json.loads(Path(str(plain.keypoints)).read_text()) == found
    assert plain.notes == known.notes


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("ray", [None, "stand-in"])
def test_pictures_and_results_in_a_store(ray: str | None, engine: Path, pictures: Path, tmp_path: Path) -> None:
    store = fsspec.filesystem("memory")
    store.put(str(pictures), "/frames", recursive=True)
    source, out = Uri("memory://frames"), Uri("memory://found")
    options = PredictOptions(engine, source, out, labels_png=True, resume=True, ray=ray)
    try:
        result = run_predict(options)
        predict(engine, pictures, tmp_path / "here", resume=True)
        store.get("/found", str(tmp_path / "there"), recursive=True)
        assert contents(tmp_path / "there") == contents(tmp_path / "here")
        document = json.loads(to_json(result.to_dict()))
        assert document["outputs"][0]["labels"] == "memory://found/00_labels.png"
        assert document["failures"][0]["reason"].startswith("memory://frames/04.png is not a readable image")
        assert run_predict(options).images == 0
        one = run_predict(replace(options, source=source / "00.png", resume=False, overlay=False))
        assert [str(file.labels) for file in one.outputs] == ["memory://found/00_labels.png"]
        run_predict(replace(options, out=Uri("memory://my.bucket/"), resume=False))
        assert store.exists("/my.bucket/00_labels.png")
        store.makedirs("/frames/none")
        with pytest.raises(SegppError, match="No pictures in memory://frames/none"):
            run_predict(replace(options, source=source / "none"))
    finally:
        store.rm("/", recursive=True)


def scored(engine: Path, pictures: Path, folder: Path, **options: Any) -> tuple[str, dict[str, bytes]]:
    """Validate; return the JSON document without the files' names, and the files."""
    records = RecordOptions(folder / "scores.jsonl", 0, folder / "confusion.csv", folder / "labels")
    data = f"folder:{pictures.parent}"
    result = run_validate(ValidateOptions(engine, data, records=records, boundary_px=2, **options))
    return to_json({**result.to_dict(), "files": None}), contents(folder)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("compared", [False, True])
def test_a_fleet_scores_what_one_process_does(
    compared: bool, engine: Path, logits: Path, pictures: Path, tmp_path: Path
) -> None:
    against = logits if compared else Against.NONE
    here, there = (
        scored(logits if compared else engine, pictures, tmp_path / str(ray), against=against, ray=ray)
        for ray in (None, "stand-in")
    )
    assert here == there
    document, files = here
    assert json.loads(document)["images"] == PICTURES - 1
    assert (json.loads(document)["reference"] is not None) == compared
    assert len(files["scores.jsonl"].splitlines()) == PICTURES - 1
    assert len(files) == PICTURES - 1 + 2


@pytest.mark.usefixtures("stand_in")
def test_a_fleet_counts_failures_together(engine: Path, pictures: Path) -> None:
    for number in (1, 9):
        (pictures / f"{number:02}.png").write_bytes(b"")
    options = ValidateOptions(engine, f"folder:{pictures.parent}", against=Against.NONE, max_failures=2, ray="stand-in")
    with pytest.raises(SegppError, match="3 files cannot be read"):
        run_validate(options)
    assert list(run_validate(replace(options, max_failures=3)).failures.errors) == ["01", "04", "09"]


@pytest.mark.usefixtures("stand_in")
def test_pictures_of_each_shape(pictures: Path, tmp_path: Path) -> None:
    write_image(pictures / "tall.png", np.zeros((96, 64, 3), np.uint8))
    wide, tall = build(tmp_path, "wide"), build(tmp_path, "tall", size=Size(96, 64))
    for ray in (None, "stand-in"):
        result = predict(wide, pictures, tmp_path / str(ray), also=(tall,), ray=ray)
        assert result.notes == ("Pictures by input size: 64x96 10, 96x64 1.",)


def test_what_a_fleet_does_not_do(engine: Path, pictures: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "drive.mp4").write_bytes(b"video")
    data = f"folder:{pictures.parent}"
    for arguments, what in (
        (["predict", engine, tmp_path / "drive.mp4", "--ray", "local"], "is a video"),
        (["predict", engine, tmp_path / "drive.mp4", "--resume"], "is a video"),
        (["predict", engine, "memory://a/drive.mp4"], "is a video"),
        (["predict", engine, "rtsp://camera", "--ray", "local", "--show"], "--ray is for files"),
        (["predict", engine, "rtsp://camera", "--resume", "--show"], "--resume is for files"),
        (["validate", engine, "--data", data, "--ray", "local", "--layers", "2"], "--layers 2 looks at"),
    ):
        assert run_command(list(map(str, arguments))) == 2
        message = capsys.readouterr().err
        assert what in message
        assert "Fix: " in message
    with pytest.raises(SegppError, match="--worst 3 looks at"):
        ValidateOptions(engine, data, records=RecordOptions(tmp_path / "scores.jsonl", 3), ray="local")


def test_poses_are_judged_together(tmp_path: Path) -> None:
    pose = build(tmp_path, "pose", output_kind=OutputKind.HEATMAPS)
    with pytest.raises(SegppError, match="judged by all persons") as caught:
        run_validate(ValidateOptions(pose, "people:2", against=Against.NONE, ray="local"))
    assert "--ray" in caught.value.fix
