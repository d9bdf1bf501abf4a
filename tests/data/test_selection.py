"""Which images a calibration takes, and what it says about them as a set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segpp_deploy.config import Task, default_class_table
from segpp_deploy.data.images import write_image, write_labels
from segpp_deploy.data.selection import (
    DIRECTORY,
    FEW_IMAGES,
    ImageSurvey,
    choose_images,
    spread,
)
from segpp_deploy.errors import SegppError
from tests.support.tiny_graphs import CLASSES, tiny_metadata

METADATA = tiny_metadata()


def noise(seed: int, low: int = 0, high: int = 256) -> np.ndarray:
    picture = np.random.default_rng(seed).integers(low, high, (32, 48, 3)).astype(np.uint8)
    picture[: 4 + seed] //= 3
    return picture


def survey_of(*pictures: np.ndarray, labels: list[np.ndarray] | None = None) -> ImageSurvey:
    survey = ImageSurvey(default_class_table(CLASSES) if labels else None)
    for number, picture in enumerate(pictures):
        survey.add(f"{number}.png", picture, labels[number] if labels else None)
    return survey


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


@given(st.integers(1, 50), st.integers(1, 60))
def test_spread_takes_what_was_asked_for_in_order(available: int, count: int) -> None:
    taken = spread(range(available), count)
    assert len(taken) == min(available, count)
    assert taken == sorted(set(taken))
    gaps = np.diff([-1, *taken, available])
    assert gaps.max() <= 2 * -(-available // count)


def test_a_directory(folder: Path) -> None:
    chosen = choose_images(str(folder / "images"), 2, METADATA)
    assert [image.name for image in chosen.images] == ["1.png", "3.png"]
    assert (chosen.data, chosen.classes, chosen.warnings) == (DIRECTORY, None, ())
    picture, labels = chosen.images[0].load()
    assert picture.shape == (32, 48, 3)
    assert labels is None


def test_a_data_set_with_labels(folder: Path) -> None:
    chosen = choose_images(f"folder:{folder}", 64, METADATA)
    assert [image.name for image in chosen.images] == list("01234")
    assert chosen.data == "folder"
    assert chosen.classes == METADATA.classes
    assert chosen.images[0].load()[1].shape == (32, 48)


def test_a_class_that_no_image_shows(folder: Path) -> None:
    chosen = choose_images(f"folder:{folder}", 2, METADATA)
    survey = ImageSurvey(chosen.classes)
    for image in chosen.images:
        survey.add(image.name, *image.load())
    assert "No calibration image shows: class_2." in survey.warnings()


def test_all_classes_shown(folder: Path) -> None:
    chosen = choose_images(f"folder:{folder}", 5, METADATA)
    survey = ImageSurvey(chosen.classes)
    for image in chosen.images:
        survey.add(image.name, *image.load())
    assert survey.warnings() == ("Only 5 calibration images; 16 or more are advised.",)


def test_labels_that_say_nothing() -> None:
    survey = survey_of(noise(0), noise(1), labels=[np.full((32, 48), 255, np.uint8)] * 2)
    assert "The labels of the calibration images name no class at all." in survey.warnings()


def test_labels_of_other_classes_are_not_looked_at() -> None:
    chosen = choose_images("scenes:4#train", 1, METADATA)
    assert chosen.classes is None
    assert chosen.warnings == (
        "scenes:4#train has other classes than the model: whether all classes occur was not checked.",
    )
    assert chosen.data == "scenes#train"


def test_pose_models_need_no_labels(folder: Path) -> None:
    chosen = choose_images(f"folder:{folder}", 1, replace(METADATA, task=Task.POSE))
    assert (chosen.classes, chosen.warnings) == (None, ())
    assert chosen.images[0].load()[1] is None


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
    chosen = choose_images(data.format(root=tmp_path), 1, METADATA)
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
        choose_images(data, 4, METADATA)


def test_an_empty_directory(tmp_path: Path) -> None:
    with pytest.raises(SegppError, match="No pictures in"):
        choose_images(str(tmp_path), 4, METADATA)


def test_no_image_wanted() -> None:
    with pytest.raises(SegppError, match="--images 0 leaves no image"):
        choose_images("scenes:1", 0, METADATA)


def test_few_images() -> None:
    assert survey_of(*map(noise, range(FEW_IMAGES))).warnings() == ()
    assert survey_of(*map(noise, range(FEW_IMAGES - 1))).warnings() == (
        "Only 15 calibration images; 16 or more are advised.",
    )


def test_images_of_one_colour() -> None:
    black, grey = np.zeros((32, 48, 3), np.uint8), np.full((32, 48, 3), 90, np.uint8)
    pictures = [*map(noise, range(FEW_IMAGES)), black, grey]
    assert survey_of(*pictures).warnings() == ("2 calibration images are of one colour: 16.png, 17.png.",)
    with pytest.raises(SegppError, match="All 2 calibration images are of one colour"):
        survey_of(black, grey).warnings()


def test_copies() -> None:
    pictures = [*map(noise, range(FEW_IMAGES)), noise(3)]
    assert survey_of(*pictures).warnings() == ("1 of 17 calibration images are copies of others.",)


def test_images_that_look_alike() -> None:
    scene = noise(0, high=250)
    pictures = [scene + np.uint8(number % 3) for number in range(FEW_IMAGES)]
    for number, picture in enumerate(pictures):
        picture[0, number] = 255
    (warning,) = survey_of(*pictures).warnings()
    assert "look nearly the same" in warning


def test_the_hash_is_of_the_pictures() -> None:
    pictures = [noise(number) for number in range(3)]
    assert survey_of(*pictures).sha256 == survey_of(*reversed(pictures)).sha256
    assert survey_of(*pictures).sha256 != survey_of(*pictures[:2]).sha256
    assert survey_of(pictures[0]).sha256 != survey_of(pictures[0].reshape(48, 32, 3)).sha256
