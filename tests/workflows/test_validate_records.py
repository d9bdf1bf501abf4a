"""What `validate` writes of single samples."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.config import OutputKind, Size, TaskName
from segpp_deploy.data.datasets.cityscapes import CITYSCAPES_CLASSES
from segpp_deploy.data.datasets.labels import stored_values
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.images import read_image, read_labels, write_image, write_labels
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation import predictor
from segpp_deploy.workflows.validate.options import Against, RecordOptions, ValidateOptions
from segpp_deploy.workflows.validate.run import run_validate
from tests.workflows.fake_session import BrightnessSession, make_metadata

SIZE = Size(32, 64)


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Pictures with a bright right half; half of the labels of `half` are the other way round, all those of `wrong`."""
    image = np.zeros((*SIZE.hw, 3), np.uint8)
    image[:, 32:] = 255
    truth = (image[..., 0] > 0).astype(np.uint8)
    half = truth.copy()
    half[:16] = 1 - half[:16]
    for name, labels in (("good", truth), ("half", half), ("wrong", 1 - truth)):
        write_image(tmp_path / f"data/images/{name}.png", image)
        write_labels(tmp_path / f"data/labels/{name}.png", labels)
    return f"folder:{tmp_path / 'data'}"


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = {"mine": BrightnessSession(make_metadata()), "other": BrightnessSession(make_metadata(), shift=500)}
    monkeypatch.setattr(predictor, "open_session", lambda engine, options: sessions[engine.name])


@pytest.mark.usefixtures("engines")
def test_scores_of_each_sample(data: str, tmp_path: Path) -> None:
    records = RecordOptions(tmp_path / "out/scores.jsonl", worst=2, confusion=tmp_path / "confusion.csv")
    options = ValidateOptions(Path("mine"), data, against=Path("other"), boundary_px=2, records=records)
    result = run_validate(options)
    lines = {line["name"]: line for line in map(json.loads, (tmp_path / "out/scores.jsonl").read_text().splitlines())}
    assert list(lines) == ["good", "half", "wrong"]
    assert lines["good"] == {
        "name": "good",
        "miou": 1.0,
        "pixel_accuracy": 1.0,
        "pixel_agreement": 0.5,
        "per_class_iou": {"class_0": 1.0, "class_1": 1.0},
    }
    assert lines["half"]["miou"] == pytest.approx(1 / 3)
    assert [(sample.name, sample.score) for sample in result.worst] == [("wrong", 0.0), ("half", pytest.approx(1 / 3))]
    drawn = read_image(result.worst[0].picture)
    assert drawn.shape == (32, 3 * 64, 3), "prediction, truth, and what differs"
    assert drawn[16, 150, 0] > 150 > drawn[16, 150, 1], "wrong pixels are red"
    with open(tmp_path / "confusion.csv") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["true \\ predicted", "class_0", "class_1"],
        ["class_0", str(1024 + 512), str(1024 + 512)],
        ["class_1", str(1024 + 512), str(1024 + 512)],
    ]
    assert 0 < result.evaluation.to_dict()["boundary_iou_2px"] < 1
    assert result.summary().splitlines() == [
        str(tmp_path / "out/scores.jsonl"),
        str(tmp_path / "confusion.csv"),
        str(tmp_path / "out/scores_worst"),
    ]
    assert result.tables()[-1].title == "Worst samples"


@pytest.mark.usefixtures("engines")
def test_label_maps_can_be_judged_again(data: str, tmp_path: Path) -> None:
    options = ValidateOptions(
        Path("mine"), f"{data}?foreground=9", against=Against.NONE, records=RecordOptions(labels=tmp_path / "labels")
    )
    for name in ("good", "half", "wrong"):
        path = tmp_path / f"data/labels/{name}.png"
        write_labels(path, read_labels(path) * 9)
    run_validate(options)
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == ["good.png", "half.png", "wrong.png"]
    assert np.unique(read_labels(tmp_path / "labels/good.png")).tolist() == [0, 9], "as the label files have it"


def test_cityscapes_labels_are_ids(tmp_path: Path) -> None:
    write_image(tmp_path / "leftImg8bit/val/ulm/ulm_0_leftImg8bit.png", np.zeros((8, 8, 3), np.uint8))
    write_labels(tmp_path / "gtFine/val/ulm/ulm_0_gtFine_labelIds.png", np.zeros((8, 8), np.uint8))
    dataset = parse_dataset(f"cityscapes:{tmp_path}")
    ids = dict(zip(CITYSCAPES_CLASSES.names, stored_values(dataset, 19).tolist(), strict=True))
    assert (ids["road"], ids["car"], ids["bicycle"]) == (7, 26, 33)
    assert stored_values(dataset.without_targets(), 3).tolist() == [0, 1, 2]


def test_a_place_for_the_worst() -> None:
    with pytest.raises(SegppError, match="no place for its pictures"):
        RecordOptions(worst=3)
    with pytest.raises(SegppError, match="no distance"):
        ValidateOptions(Path("a"), "scenes", boundary_px=-1)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"records": RecordOptions(labels=Path("labels"))}, "no label of a pixel"), ({"boundary_px": 3}, "no regions")],
)
def test_poses_have_no_regions(
    options: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tests.support.coco_files import person, write_coco

    session = BrightnessSession(make_metadata(OutputKind.HEATMAPS, num_classes=17, task=TaskName.POSE))
    monkeypatch.setattr(predictor, "open_session", lambda engine, options: session)
    write_coco(tmp_path, [person(1, 1, [5, 5, 40, 40])])
    with pytest.raises(SegppError, match=message):
        run_validate(ValidateOptions(Path("mine"), f"coco-pose:{tmp_path}", against=Against.NONE, **options))


def test_persons_are_drawn_and_confusions_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tests.support.coco_files import person, write_coco

    session = BrightnessSession(make_metadata(OutputKind.HEATMAPS, num_classes=17, task=TaskName.POSE))
    monkeypatch.setattr(predictor, "open_session", lambda engine, options: session)
    write_coco(tmp_path, [person(1, 1, [5, 5, 40, 40]), person(2, 2, [5, 5, 40, 40])])
    records = RecordOptions(tmp_path / "s.jsonl", 1, tmp_path / "c.csv")
    found = run_validate(ValidateOptions(Path("mine"), f"coco-pose:{tmp_path}", against=Against.NONE, records=records))
    assert found.findings[0].startswith("Flip test: off")
    assert found.worst[0].picture.is_file()
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [line["name"] for line in lines] == ["000000000001.png#1", "000000000002.png#2"]
    assert len((tmp_path / "c.csv").read_text().splitlines()) == 18
