"""Which pictures are taken, and what speaks against relying on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.config import TaskName
from segpp_deploy.data.datasets.selection import DIRECTORY, Selection, select_pictures
from segpp_deploy.data.images import write_image, write_labels
from segpp_deploy.errors import SegppError
from tests.support.tiny_graphs import CLASSES, tiny_metadata

METADATA = tiny_metadata()


def select(data: str, count: int, task: TaskName = TaskName.SEG) -> Selection:
    return select_pictures(data, count, task, METADATA.classes)


def noise(seed: int, low: int = 0, high: int = 256) -> np.ndarray:
    picture = np.random.default_rng(seed).integers(low, high, (32, 48, 3)).astype(np.uint8)
    picture[: 4 + seed] //= 3
    return picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A `folder:` data set of five pictures; class 2 occurs on the last one only."""
    for number in range(5):
        write_image(tmp_path / f"images/{number}.png", noise(number))
        labels = np.zeros((32, 48), np.uint8)
        labels[:3] = 1
        labels[5:7] = 255
        labels[8:] = 2 if number == 4 else 0
        write_labels(tmp_path / f"labels/{number}.png", labels)
    return tmp_path


def test_a_directory(folder: Path) -> None:
    chosen = select(str(folder / "images"), 2)
    assert [sample.name for sample in chosen.dataset] == ["1.png", "3.png"]
    assert (chosen.data, chosen.classes, chosen.warnings) == (DIRECTORY, None, ())
    example = chosen.dataset.samples[0].load(CLASSES)
    assert example.image.shape == (32, 48, 3)
    assert example.target is None


def test_a_data_set_with_labels(folder: Path) -> None:
    chosen = select(f"folder:{folder}", 64)
    assert [sample.name for sample in chosen.dataset] == list("01234")
    assert chosen.data == "folder"
    assert chosen.classes == METADATA.classes
    assert chosen.dataset.samples[0].load(CLASSES).target.shape == (32, 48)


def test_pictures_whose_labels_nobody_needs(folder: Path) -> None:
    for path in (folder / "labels").iterdir():
        path.unlink()
    for message in ("5 without labels", "No such directory"):  # an empty directory, and then none
        chosen = select_pictures(f"folder:{folder}", 9, TaskName.SEG, METADATA.classes, needs_labels=False)
        assert len(chosen.dataset) == 5
        assert chosen.classes is None
        with pytest.raises(SegppError, match=message):
            select(f"folder:{folder}", 9)
        if (folder / "labels").exists():
            (folder / "labels").rmdir()


def test_labels_of_other_classes_are_not_looked_at() -> None:
    chosen = select("scenes:4#train", 1)
    assert chosen.classes is None
    assert chosen.warnings == (
        "scenes:4#train has other classes than the model: whether all classes occur was not checked.",
    )
    assert chosen.data == "scenes#train"


def test_pose_models_need_no_labels(folder: Path) -> None:
    chosen = select(f"folder:{folder}", 1, TaskName.POSE)
    assert (chosen.classes, chosen.warnings) == (None, ())
    assert chosen.dataset.samples[0].load(CLASSES).target is None


@pytest.mark.parametrize(
    ("data", "warns"),
    [
        ("scenes:2", True),
        ("scenes", True),
        ("scenes:2#train", False),
        ("camvid:{root}", True),
        ("camvid:{root}#val", True),
        ("camvid:{root}#train", False),
    ],
)
def test_pictures_that_validate_measures_on(data: str, warns: bool, tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_image(tmp_path / f"images/{split}/a.png", noise(1))
        write_labels(tmp_path / f"labels/{split}/a.png", np.zeros((32, 48), np.uint8))
    chosen = select(data.format(root=tmp_path), 1)
    assert any("calibrate on other images (#train)" in warning for warning in chosen.warnings) is warns
    assert str(tmp_path) not in chosen.data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("no/such/directory", "No such file or directory: no/such/directory"),
        ("camvit:data", "Unknown data set kind 'camvit'"),
        ("folder:no/such", "No such directory"),
        ("scenes:none", "not a number of scenes"),
    ],
)
def test_no_such_data(data: str, message: str) -> None:
    with pytest.raises(SegppError, match=message):
        select(data, 4)


def test_an_empty_directory(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="No pictures in"):
        select(str(tmp_path), 4)


def test_no_image_wanted() -> None:
    with pytest.raises(SegppError, match="--images 0 leaves no image"):
        select("scenes:1", 0)
