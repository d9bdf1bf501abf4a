"""Label values that do not fit the model's classes: each with its likely cause and the option that mends it."""

from __future__ import annotations

import numpy as np
import pytest

from segpp_deploy.data.datasets import Dataset, Sample
from segpp_deploy.data.datasets.base import AnyDataset, DatasetSpec
from segpp_deploy.data.datasets.label_options import LabelOptions, parse_label_options
from segpp_deploy.data.datasets.label_survey import SURVEYED, LabelSurvey, survey_labels
from segpp_deploy.data.datasets.labels import LabelFile, label_table
from segpp_deploy.errors import SegppError


def holding(*files: list[int], text: str = "", table: np.ndarray | None = None) -> AnyDataset:
    """A data set `folder:x` whose label files hold these values."""
    options = parse_label_options(text, "x") if text else LabelOptions()

    def sample(index: int, values: list[int]) -> Sample[np.ndarray]:
        stored = np.array([values], np.uint8)
        target = LabelFile(f"{index}.png", lambda: stored, table, options)
        return Sample(str(index), lambda: np.zeros((*stored.shape, 3), np.uint8), target)

    samples = tuple(sample(index, values) for index, values in enumerate(files))
    return Dataset("folder:x", samples, spec=DatasetSpec("folder", "x", options=options))


@pytest.mark.parametrize(
    ("classes", "values", "cause", "mends"),
    [
        (2, [0, 255], "masks, in which 255 is the second class", ["?foreground=255'"]),
        (2, [0, 128], "masks, in which 128 is the second class", ["?foreground=128'"]),
        (2, [0, 2], "masks, in which 2 is the second class", ["?foreground=2'"]),
        (2, [0, 128, 255], "128 means unsure", ["?foreground=255&ignore=128'", "?foreground=128'"]),
        (2, [0, 3, 251, 255], "soft edges", ["Threshold", "?foreground=255'"]),
        (2, [1, 2], "they count from 1", ["?reduce'"]),
        (3, [1, 2, 3], "they count from 1", ["?reduce'"]),
        (3, [0, 1, 2, 3], "0 means not labelled, or 3 means not labelled", ["?reduce'", "?ignore=3'"]),
        (3, [0, 1, 2, 30], "30 means not labelled", ["?ignore=30'"]),
        (3, [0, 7, 8], "ids of instances", ["the same 3 classes"]),
        (3, [255], "blank label maps", ["another split"]),
        (2, [255], "blank label maps", ["?foreground=255'"]),
    ],
)
def test_what_is_refused(classes: int, values: list[int], cause: str, mends: list[str]) -> None:
    with pytest.raises(SegppError) as caught:
        survey_labels(holding(values, values), classes)
    assert "folder:x" in caught.value.what
    assert cause in caught.value.what
    assert all(mend in caught.value.fix for mend in mends)


def test_files_that_hold_a_wrong_value_are_counted_and_named() -> None:
    with pytest.raises(SegppError, match=r"classes: 5 \(in 2 of 3: 1\.png, \.\.\. 1 more\)"):
        survey_labels(holding([0, 1], [5], [5]), 2)


@pytest.mark.parametrize(
    ("classes", "values", "text"),
    [
        (2, [0, 1, 255], ""),
        (2, [0], ""),
        (2, [0, 255], "foreground=255"),
        (2, [0, 255], "ignore=255"),
        (3, [0, 1, 2, 3], "reduce"),
        (3, [0, 1, 2, 3], "ignore=3"),
    ],
)
def test_what_fits(classes: int, values: list[int], text: str) -> None:
    assert survey_labels(holding(values, text=text), classes) == LabelSurvey()


def test_values_of_a_published_format() -> None:
    table = label_table({7: 0, 8: 1, 0: 255})
    assert survey_labels(holding([0, 7], table=table), 2) == LabelSurvey()
    with pytest.raises(SegppError, match=r"none of the 2 classes: 9") as caught:
        survey_labels(holding([0, 9], table=table), 2)
    assert caught.value.expected == "values 7, 8, or 0, 255 for pixels that do not count."
    with pytest.raises(SegppError, match=r"its label maps \(1\) hold 0 alone"):
        survey_labels(holding([0, 0], table=table), 2)


def test_much_that_does_not_count() -> None:
    (warning,) = survey_labels(holding([0, 255, 255, 255]), 19).warnings
    assert warning.startswith(
        "75 % of the labels of folder:x do not count (255), and of the 19 classes only 0 were seen."
    )
    assert survey_labels(holding([0, 1, 2, 3, *[255] * 9]), 19) == LabelSurvey()


def test_a_model_that_was_trained_on_reduced_labels() -> None:
    found = survey_labels(holding([0, 1, 2]), 3, trained_reduced=True)
    assert found.warnings == ()
    assert found.if_poor[0].endswith("Name the data set 'folder:x?reduce'.")
    for text in ("reduce", "ignore=255"):
        assert survey_labels(holding([0, 1, 2], text=text), 3, trained_reduced=True) == LabelSurvey()
    with pytest.raises(SegppError, match="as in the model's training") as caught:
        survey_labels(holding([0, 1, 2, 3]), 3, trained_reduced=True)
    assert caught.value.fix == "Name the data set 'folder:x?reduce'."


def test_a_spread_is_looked_at_and_the_rest_only_for_a_label() -> None:
    files = [[255]] * (4 * SURVEYED)
    files[1] = [1]  # not in the spread
    survey_labels(holding(*files), 2)
    files[1] = [255]
    with pytest.raises(SegppError, match=rf"its label maps \({len(files)}\) hold 255 alone"):
        survey_labels(holding(*files), 2)
    wrong = [[0, 1]] * (4 * SURVEYED)
    wrong[1] = [9]
    assert survey_labels(holding(*wrong), 2) == LabelSurvey()


def test_nothing_to_look_at() -> None:
    image = np.zeros((1, 1, 3), np.uint8)

    def must_not_be_read() -> np.ndarray:
        raise AssertionError

    drawn = LabelFile("scene", must_not_be_read, is_drawn=True)
    dataset = Dataset("d", (Sample("a", lambda: image, drawn), Sample("b", lambda: image, None)))
    assert survey_labels(dataset, 2) == LabelSurvey()


def test_files_that_cannot_be_read_are_left_to_the_evaluation() -> None:
    def damaged() -> np.ndarray:
        raise SegppError("damaged")

    samples = (*holding([0, 1]), Sample("b", lambda: np.zeros((1, 2, 3), np.uint8), LabelFile("b.png", damaged)))
    assert survey_labels(Dataset("d", samples), 2) == LabelSurvey()
    assert survey_labels(Dataset("d", samples[1:]), 2) == LabelSurvey()


def test_what_was_expected_of_more_classes_than_bytes_can_number() -> None:
    stored = np.array([[0, 300]], np.uint16)
    samples = (Sample("a", lambda: np.zeros((1, 2, 3), np.uint8), LabelFile("a.png", lambda: stored)),)
    with pytest.raises(SegppError) as caught:
        survey_labels(Dataset("folder:x", samples), 300)
    assert caught.value.expected == "values 0 to 299, or 65535 for pixels that do not count."
