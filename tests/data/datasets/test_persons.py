"""COCO's persons, JBD and files in COCO's format: who is judged, in which box, in which picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from segpp_deploy.config import TaskName
from segpp_deploy.data.datasets.coco_keypoints import COCO_KEYPOINTS, COCO_RELATIONS
from segpp_deploy.data.datasets.jbd import JBD_KEYPOINTS, JBD_RELATIONS
from segpp_deploy.data.datasets.person_boxes import read_boxes
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.geometry.crop import Box
from segpp_deploy.errors import SegppError, UnreadableFileError
from tests.data.exif import jpeg_with_exif
from tests.support.coco_files import person, write_coco

BOX = [10.0, 20.0, 30.0, 30.0]


def test_persons_of_coco(tmp_path: Path) -> None:
    write_coco(tmp_path, [person(5, 2, [-4, 10, 50, 70]), person(7, 1, BOX), person(8, 2, BOX)])
    dataset = parse_dataset(f"coco-pose:{tmp_path}")
    assert [sample.name for sample in dataset] == [
        "000000000001.png#7",
        "000000000002.png#5",
        "000000000002.png#8",
    ], "picture by picture"
    assert (dataset.task, dataset.classes, dataset.keypoints) == (TaskName.POSE, COCO_KEYPOINTS, COCO_RELATIONS)
    assert dataset.notes == ("Boxes: those of the annotations.",)
    clipped = dataset.samples[1].load(17)
    assert clipped.box == Box(0, 10, 46, 59), "x + w and y + h, clipped to the last pixel"
    assert clipped.target.person_px == 49
    assert clipped.image is dataset.samples[2].load(17).image, "one picture is read once"
    assert clipped.target.points[16].tolist() == [46, 80]
    assert clipped.target.entry.image_id == 2


def test_who_is_not_judged_is_counted(tmp_path: Path) -> None:
    unlabelled = [0.0, 0.0, 0.0] * 17
    people = [
        person(1, 1, BOX),
        person(2, 1, BOX, iscrowd=1),
        person(3, 1, BOX, num_keypoints=0),
        person(4, 1, BOX, keypoints=unlabelled),
        {**person(5, 1, BOX), "bbox": []},
        {**person(6, 2, BOX), "bbox": None},
        person(7, 2, [5, 5, 0, 9]),
        person(8, 2, [90, 5, 9, 9]),  # outside of the picture
    ]
    write_coco(tmp_path, people)
    dataset = parse_dataset(f"coco-pose:{tmp_path}")
    assert len(dataset) == 1
    assert dataset.notes[1] == (
        "Not judged: 7 of 8 entries (1 crowds, 2 with a box without an extent, 2 without a box, 2 without a labelled "
        "keypoint)."
    )


@pytest.mark.parametrize("visibility", [1, 2])
def test_hidden_and_visible_keypoints_count_alike(visibility: int, tmp_path: Path) -> None:
    points = [3.0, 4.0, visibility, 0.0, 0.0, 0.0, *[9.0, 9.0, 0.0] * 15]
    write_coco(tmp_path, [person(1, 1, BOX, keypoints=points, num_keypoints=1)])
    target = parse_dataset(f"coco-pose:{tmp_path}").samples[0].load(17).target
    assert target.is_labelled.tolist() == [True, *[False] * 16]


def test_other_keypoints_in_coco_format(tmp_path: Path) -> None:
    hand = {"id": 3, "name": "hand", "keypoints": ["wrist", "thumb", "finger"], "skeleton": [[1, 2], [1, 3]]}
    entry = person(1, 1, BOX, category_id=3, keypoints=[1.0, 2.0, 2, 3.0, 4.0, 0, 5.0, 6.0, 1], num_keypoints=2)
    file = write_coco(tmp_path, [entry], categories=[hand])
    dataset = parse_dataset(f"coco-pose:{file}")
    assert dataset.classes.names == ("wrist", "thumb", "finger")
    assert dataset.keypoints.skeleton == ((0, 1), (0, 2)), "the file counts from 1"
    assert dataset.keypoints.sigmas == ()
    assert dataset.samples[0].load(3).target.is_labelled.tolist() == [True, False, True]
    with pytest.raises(SegppError, match="has 3 keypoints, the model predicts 17"):
        dataset.samples[0].load(17)


def test_jbd(tmp_path: Path) -> None:
    folder = tmp_path / "images/val/innsbruck"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "innsbruck_(00012).jpg"), np.zeros((60, 80, 3), np.uint8))
    (tmp_path / "annotations").mkdir()
    points = [1.0, 1.0, 1] * 20
    entries = [{"id": i, "image_id": 0, "keypoints": points, "bbox": box} for i, box in enumerate([BOX, []])]
    content = {"images": [{"id": 0, "file_name": "innsbruck/innsbruck_(00012).jpg"}], "annotations": entries}
    (tmp_path / "annotations/val_jump.json").write_text(json.dumps(content))
    dataset = parse_dataset(f"jbd:{tmp_path}")
    assert (dataset.classes, dataset.keypoints) == (JBD_KEYPOINTS, JBD_RELATIONS)
    assert dataset.notes[1] == "Not judged: 1 of 2 entries (1 without a box)."
    assert dataset.samples[0].load(20).box == Box(10, 20, 40, 50)


def test_flip_pairs_are_lefts_and_rights() -> None:
    names = COCO_KEYPOINTS.names
    for left, right in COCO_RELATIONS.flip_pairs:
        assert names[left].replace("left", "right") == names[right]
    names = JBD_KEYPOINTS.names
    assert len(JBD_RELATIONS.flip_pairs) == 9
    for right, left in JBD_RELATIONS.flip_pairs:
        assert (names[right][0], names[left][0], names[right][1:]) == ("r", "l", names[left][1:])


def test_a_detectors_boxes(tmp_path: Path) -> None:
    write_coco(tmp_path / "coco", [person(1, 1, BOX)])
    boxes = tmp_path / "found.json"
    found = [
        {"image_id": 2, "category_id": 1, "bbox": [-3, 0, 20, 30], "score": 0.5},
        {"image_id": 1, "category_id": 1, "bbox": BOX, "score": 0.9},
        {"image_id": 1, "category_id": 18, "bbox": BOX, "score": 0.9},
        {"image_id": 1, "category_id": 1, "bbox": [1, 1, 0, 5], "score": 0.9},
        {"image_id": 99, "category_id": 1, "bbox": BOX, "score": 0.9},
    ]
    boxes.write_text(json.dumps(found))
    dataset = parse_dataset(f"coco-pose:{tmp_path / 'coco'}", boxes=boxes)
    assert [sample.name for sample in dataset] == ["000000000001.png#0", "000000000002.png#0"]
    assert dataset.notes == (
        f"Boxes: a detector's, {boxes}.",
        f"Boxes of {boxes} left out: 1 of other categories than 1, 1 without an extent.",
        "Boxes of pictures that person_keypoints_val2017.json does not name: 1.",
    )
    example = dataset.samples[1].load(17)
    assert example.box == Box(-3, 0, 17, 30), "as they come"
    assert not example.target.is_labelled.any()
    assert example.target.entry.box_score == 0.5
    with pytest.raises(SegppError, match=r"scenes:2 takes no boxes"):
        parse_dataset("scenes:2", boxes=boxes)


@pytest.mark.parametrize("swaps", [True, False])
def test_a_turned_picture_is_read_as_it_was_annotated(swaps: bool, tmp_path: Path) -> None:
    file = write_coco(tmp_path, [person(1, 1, BOX)], pictures=1)
    picture = tmp_path / "val2017/000000000001.png"
    stored = np.zeros((60, 80, 3), np.uint8)
    stored[:30] = 250
    encoded = cv2.imencode(".jpg", stored)[1].tobytes()
    picture.write_bytes(jpeg_with_exif(encoded, 6))  # upright it is 80x60
    if not swaps:
        content = json.loads(file.read_text())
        content["images"][0] |= {"height": 80, "width": 60}
        file.write_text(json.dumps(content))
    image = parse_dataset(f"coco-pose:{tmp_path}").samples[0].load(17).image
    if swaps:
        assert image.shape == (60, 80, 3)
        assert image[10, 40].min() > 200 > 100 > image[50, 40].max(), "the bright half is above, as it is stored"
    else:
        assert image.shape == (80, 60, 3)


def test_another_picture_than_was_annotated(tmp_path: Path) -> None:
    write_coco(tmp_path, [person(1, 1, BOX)], pictures=1)
    cv2.imwrite(str(tmp_path / "val2017/000000000001.png"), np.zeros((30, 40, 3), np.uint8))
    with pytest.raises(UnreadableFileError, match="has 30x40 pixels, its annotation says 60x80"):
        parse_dataset(f"coco-pose:{tmp_path}").samples[0].load(17)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Invalid JSON"),
        ("[]", "cannot be used"),
        ('{"images": [], "annotations": [{"id": 1}]}', "annotations.0.image_id"),
        ('{"images": [], "annotations": []}', "no annotation has keypoints"),
        (
            '{"images": [], "annotations": [{"id": 4, "image_id": 1, "keypoints": [1, 2, 2, 3]}]}',
            "annotation 4 has 4 numbers",
        ),
        ('{"images": [], "annotations": [{"id": 4, "image_id": 1, "keypoints": [NaN, 2, 2]}]}', "annotations.0"),
    ],
)
def test_files_of_another_form(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "some.json"
    file.write_text(content)
    with pytest.raises(SegppError, match=message):
        parse_dataset(f"coco-pose:{file}")


def test_lost_pictures_and_files(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="person_keypoints_val2017"):
        parse_dataset(f"coco-pose:{tmp_path}")
    write_coco(tmp_path, [person(1, 1, BOX)], pictures=1)
    (tmp_path / "val2017/000000000001.png").unlink()
    with pytest.raises(SegppError, match="None of the first 1 pictures"):
        parse_dataset(f"coco-pose:{tmp_path}")


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([{"file_name": "b/7.png", "bbox": BOX}, {"file_name": "x7.png", "bbox": BOX}], 1),
        ([{"image_id": 7, "bbox": BOX}, {"image_id": 8, "bbox": BOX}], 1),
        ({"images": [{"id": 3, "file_name": "7.png"}], "annotations": [{"image_id": 3, "bbox": BOX}]}, 1),
    ],
)
def test_boxes_of_a_picture(entries: Any, expected: int, tmp_path: Path) -> None:
    file = tmp_path / "boxes.json"
    file.write_text(json.dumps(entries))
    (found,) = read_boxes(file).of_file(Path("a/b/7.png"))
    assert (found.box, found.score, found.xywh) == (Box(10, 20, 40, 50), 1.0, BOX)


def test_boxes_of_frames(tmp_path: Path) -> None:
    file = tmp_path / "boxes.json"
    file.write_text(json.dumps([{"frame": 2, "bbox": BOX}, {"image_id": 3, "bbox": BOX, "score": 0.25}]))
    boxes = read_boxes(file)
    assert [len(boxes.of_frame(number)) for number in (1, 2, 3)] == [0, 1, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [("[]", "no box of category 1"), ('[{"bbox": [1]}]', "no box"), ('[{"box": [1, 2, 3, 4]}]', "bbox"), ("x", "JSON")],
)
def test_files_without_boxes(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "boxes.json"
    file.write_text(content)
    with pytest.raises(SegppError, match=message):
        read_boxes(file)
