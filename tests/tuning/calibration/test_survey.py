"""What a survey says about pictures as a set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segpp_deploy.config import TaskName, default_class_table
from segpp_deploy.data.datasets.selection import select_pictures
from segpp_deploy.errors import SegppError
from segpp_deploy.tasks.segmentation.task import SegmentationTask
from segpp_deploy.tuning.calibration.survey import FEW_IMAGES, ImageSurvey
from tests.data.datasets.test_selection import folder, noise
from tests.support.tiny_graphs import CLASSES

__all__ = ["folder"]


def survey_of(*pictures: np.ndarray, labels: list[np.ndarray] | None = None) -> ImageSurvey:
    survey = ImageSurvey(default_class_table(CLASSES) if labels else None)
    for number, picture in enumerate(pictures):
        survey.add(f"{number}.png", picture, SegmentationTask().classes_in(labels[number]) if labels else frozenset())
    return survey


def shown_on(folder: Path, count: int) -> tuple[str, ...]:
    """What a survey of `count` of the pictures warns of."""
    chosen = select_pictures(f"folder:{folder}", count, TaskName.SEG, default_class_table(CLASSES))
    survey = ImageSurvey(chosen.classes)
    for sample in chosen.dataset:
        example = sample.load(CLASSES)
        survey.add(sample.name, example.image, SegmentationTask().classes_in(example.target))
    return survey.warnings()


def test_a_class_that_no_image_shows(folder: Path) -> None:
    assert "No calibration image shows: class_2." in shown_on(folder, 2)


def test_all_classes_shown(folder: Path) -> None:
    assert shown_on(folder, 5) == ("Only 5 calibration images; 16 or more are advised.",)


def test_labels_that_say_nothing() -> None:
    survey = survey_of(noise(0), noise(1), labels=[np.full((32, 48), 255, np.uint8)] * 2)
    assert "The labels of the calibration images name no class at all." in survey.warnings()


def test_labels_that_cannot_be_used_are_no_error() -> None:
    survey = survey_of(noise(0), labels=[np.zeros((32, 48), np.uint8)])
    survey.add("odd.png", noise(1), None)
    assert survey.warnings()[-1] == (
        "The labels of 1 calibration images cannot be used (odd.png): whether all classes occur was not checked."
    )


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
