"""Labels of turned pictures: drawn on the stored pixels or on the upright picture, both fit."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from segpp_deploy.data.datasets.base import AnyDataset
from segpp_deploy.data.datasets.label_survey import survey_labels
from segpp_deploy.data.datasets.labels import LabelFile
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.orientation import Orientation
from segpp_deploy.errors import SegppError
from tests.data.exif import png_with_exif

STORED = np.array([[0, 1, 2], [2, 2, 1]], np.uint8)
SQUARE = np.array([[0, 1], [2, 2]], np.uint8)


def write_set(root: Path, orientation: int, stored: np.ndarray, labels: np.ndarray) -> str:
    """One picture whose first channel is 80 times its labels, and a second that was not turned."""
    for name, number in (("turned", orientation), ("plain", 1)):
        for part in ("images", "labels"):
            (root / part).mkdir(parents=True, exist_ok=True)
        picture = cv2.imencode(".png", np.repeat(80 * stored[..., None], 3, axis=2))[1].tobytes()
        (root / "images" / f"{name}.png").write_bytes(png_with_exif(picture, number))
        cv2.imwrite(str(root / "labels" / f"{name}.png"), labels if name == "turned" else stored)
    return f"folder:{root}"


def assert_labels_lie_on_pictures(dataset: AnyDataset) -> None:
    for sample in dataset:
        example = sample.load(3)
        np.testing.assert_array_equal(80 * example.target, example.image[..., 0])


@pytest.mark.parametrize("orientation", list(Orientation))
def test_labels_of_the_stored_size_are_turned(orientation: Orientation, tmp_path: Path) -> None:
    dataset = parse_dataset(write_set(tmp_path, orientation, STORED, STORED))
    assert_labels_lie_on_pictures(dataset)
    keeps_size = Orientation.NONE < orientation < Orientation.TRANSPOSE
    assert len(survey_labels(dataset, 3).warnings) == keeps_size


@pytest.mark.parametrize("orientation", [orientation for orientation in Orientation if orientation.swaps_sides])
def test_labels_of_the_upright_size_are_left_alone(orientation: Orientation, tmp_path: Path) -> None:
    dataset = parse_dataset(write_set(tmp_path, orientation, STORED, orientation.turn(STORED)))
    assert_labels_lie_on_pictures(dataset)
    assert survey_labels(dataset, 3).warnings == ()


@pytest.mark.parametrize("orientation", [3, 6])
def test_what_the_size_does_not_tell_is_said_and_can_be_stated(orientation: int, tmp_path: Path) -> None:
    name = write_set(tmp_path, orientation, SQUARE, Orientation(orientation).turn(SQUARE))
    (warning,) = survey_labels(parse_dataset(name), 3).warnings
    assert warning.startswith(f"1 of 2 pictures of {name} are stored mirrored or turned (EXIF)")
    assert warning.endswith(f"Name the data set '{name}?labels=upright'.")
    dataset = parse_dataset(f"{name}?labels=upright")
    assert_labels_lie_on_pictures(dataset)
    assert survey_labels(dataset, 3).warnings == ()


def test_stated_to_be_drawn_on_the_stored_pixels(tmp_path: Path) -> None:
    dataset = parse_dataset(write_set(tmp_path, 3, STORED, STORED) + "?labels=stored")
    assert_labels_lie_on_pictures(dataset)
    assert survey_labels(dataset, 3).warnings == ()


def test_labels_that_lie_across_are_not_to_be_resized() -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    for shape, advice in (((6, 4), "turn them"), ((3, 2), "turn them"), ((2, 3), "Resize"), ((2, 2), "Resize")):
        with pytest.raises(SegppError) as caught:
            LabelFile("a.png", lambda shape=shape: np.zeros(shape, np.uint8)).load(image, 2)
        assert advice in caught.value.fix
