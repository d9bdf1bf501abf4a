"""CamVid, Cityscapes and ADE20K: their published folder layouts and label values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.data.datasets.ade20k import ADE20K_CLASSES
from segpp_deploy.data.datasets.camvid import CAMVID_CLASSES
from segpp_deploy.data.datasets.cityscapes import CITYSCAPES_CLASSES
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.errors import SegppError

Write = Callable[..., Path]


@pytest.mark.parametrize(("classes", "count"), [(CAMVID_CLASSES, 11), (CITYSCAPES_CLASSES, 19), (ADE20K_CLASSES, 150)])
def test_class_tables_are_whole(classes: object, count: int) -> None:
    assert len(classes.names) == len(classes.palette) == count
    assert len(set(classes.names)) == count
    assert all(name == name.strip() and name for name in classes.names)


def test_camvid_tree(tmp_path: Path, write_picture: Write, write_label_file: Write) -> None:
    values = np.array([[0, 5, 10, 11, 255]], np.uint8)
    for split in ("train", "val"):
        write_picture(f"images/{split}/{split}.png", (1, 5))
        write_label_file(f"labels/{split}/{split}.png", values)
    dataset = parse_dataset(f"camvid:{tmp_path}")
    assert [s.name for s in dataset] == ["val"]
    assert dataset.classes is CAMVID_CLASSES
    assert dataset.samples[0].load(11).target.tolist() == [[0, 5, 10, 255, 255]]
    assert [s.name for s in parse_dataset(f"camvid:{tmp_path}#train")] == ["train"]


def test_camvid_value_beyond_void(tmp_path: Path, write_picture: Write, write_label_file: Write) -> None:
    write_picture("images/val/a.png")
    write_label_file("labels/val/a.png", 12)
    with pytest.raises(SegppError, match="label value 12"):
        parse_dataset(f"camvid:{tmp_path}").samples[0].load(11)


@pytest.mark.camvid
def test_camvid_frames(camvid_root: Path) -> None:
    dataset = parse_dataset(f"camvid:{camvid_root}")
    assert len(dataset) == 101
    assert len(parse_dataset(f"camvid:{camvid_root}#train")) == 367
    example = dataset.samples[0].load(11)
    image, labels = example.image, example.target
    assert image.shape == (360, 480, 3)
    assert set(np.unique(labels)) <= {*range(11), 255}
    sky, road = image[labels == 0].mean(), image[labels == 3].mean()
    assert sky > road, "the sky is brighter than the road, so labels and pictures belong together"


def cityscapes_tree(write_picture: Write, write_label_file: Write, values: np.ndarray) -> None:
    for city, frame in (("ulm", "ulm_000001_000019"), ("bonn", "bonn_000002_000019")):
        write_picture(f"leftImg8bit/val/{city}/{frame}_leftImg8bit.png", values.shape)
        write_label_file(f"gtFine/val/{city}/{frame}_gtFine_labelIds.png", values)
        write_label_file(f"gtFine/val/{city}/{frame}_gtFine_instanceIds.png", values)


def test_cityscapes_tree(tmp_path: Path, write_picture: Write, write_label_file: Write) -> None:
    cityscapes_tree(write_picture, write_label_file, np.array([[0, 7, 8, 11, 26, 30, 33, 255]], np.uint8))
    dataset = parse_dataset(f"cityscapes:{tmp_path}")
    assert [s.name for s in dataset] == ["bonn/bonn_000002_000019", "ulm/ulm_000001_000019"]
    assert dataset.samples[0].load(19).target.tolist() == [[255, 0, 1, 2, 13, 255, 18, 255]]
    assert dataset.classes is not None
    assert dataset.classes.names[13] == "car"


def test_cityscapes_unknown_id(tmp_path: Path, write_picture: Write, write_label_file: Write) -> None:
    cityscapes_tree(write_picture, write_label_file, np.array([[0, 34]], np.uint8))
    with pytest.raises(SegppError, match="label value 34"):
        parse_dataset(f"cityscapes:{tmp_path}").samples[0].load(19)


def test_cityscapes_with_train_ids_alone(tmp_path: Path, write_picture: Write, write_label_file: Write) -> None:
    write_picture("leftImg8bit/val/ulm/ulm_0_leftImg8bit.png", (1, 4))
    train_ids = write_label_file(
        "gtFine/val/ulm/ulm_0_gtFine_labelTrainIds.png", np.array([[0, 13, 18, 255]], np.uint8)
    )
    dataset = parse_dataset(f"cityscapes:{tmp_path}")
    assert dataset.samples[0].load(19).target.tolist() == [[0, 13, 18, 255]]
    assert dataset.notes == (
        f"In {train_ids.parents[1]} there are no files *_gtFine_labelIds.png: the train ids *_gtFine_labelTrainIds.png "
        "are used, which say the same.",
    )
    write_label_file("gtFine/val/ulm/ulm_0_gtFine_labelIds.png", np.array([[7, 26, 33, 4]], np.uint8))
    both = parse_dataset(f"cityscapes:{tmp_path}")
    assert both.samples[0].load(19).target.tolist() == [[0, 13, 18, 255]]
    assert both.notes == ()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("cityscapes", "gtFine/val/CITY/NAME_gtFine_labelIds.png"),
        ("ade20k", "annotations/validation/NAME.png"),
        ("camvid", "images/val and labels/val"),
    ],
)
def test_another_layout_is_told_what_was_expected_and_what_is_there(kind: str, expected: str, tmp_path: Path) -> None:
    for name in ("train", "trainannot"):
        (tmp_path / name).mkdir()
    with pytest.raises(SegppError, match=f"In {tmp_path} there are: train, trainannot") as caught:
        parse_dataset(f"{kind}:{tmp_path}")
    assert expected in caught.value.expected


def test_the_name_that_was_looked_for(tmp_path: Path, write_picture: Write, write_label_file: Write) -> None:
    write_picture("leftImg8bit/val/ulm/ulm_0_leftImg8bit.png")
    found = write_label_file("gtFine/val/ulm/ulm_0_gtFine_color.png")
    with pytest.raises(SegppError) as caught:
        parse_dataset(f"cityscapes:{tmp_path}")
    looked_for = found.with_name("ulm_0_gtFine_labelIds.png")
    assert f"Looked for {looked_for}; there are: ulm_0_gtFine_color.png." in caught.value.what


def test_ade20k_tree(tmp_path: Path, write_picture: Write, write_label_file: Write) -> None:
    write_picture("images/validation/ADE_val_1.jpg", (1, 4))
    write_label_file("annotations/validation/ADE_val_1.png", np.array([[0, 1, 150, 255]], np.uint8))
    dataset = parse_dataset(f"ade20k:{tmp_path}")
    assert dataset.samples[0].load(150).target.tolist() == [[255, 0, 149, 255]]
    assert dataset.classes is not None
    assert (dataset.classes.names[0], dataset.classes.names[149]) == ("wall", "flag")


def test_ade20k_unknown_value(tmp_path: Path, write_picture: Write, write_label_file: Write) -> None:
    write_picture("images/validation/a.jpg")
    write_label_file("annotations/validation/a.png", 151)
    with pytest.raises(SegppError, match="label value 151"):
        parse_dataset(f"ade20k:{tmp_path}").samples[0].load(150)
