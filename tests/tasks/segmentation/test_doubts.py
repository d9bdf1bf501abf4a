"""What counts of pixels give reason to doubt: chance level, and labels that are off by one class."""

from __future__ import annotations

import numpy as np
import pytest

from segpp_deploy.config import ClassTable, default_class_table
from segpp_deploy.tasks.protocol.chance import chance_of, kappa
from segpp_deploy.tasks.segmentation.doubts import find_doubts, missing_classes
from segpp_deploy.tasks.segmentation.pixel_counts import PixelCounts

NAMES = ClassTable(("sky", "road", "car", "tree"))
LABELS = np.array([10, 50, 30, 10])
GOOD = np.diag(LABELS) * 8 + np.outer(LABELS, LABELS) // 50


def counted(matrix: np.ndarray) -> PixelCounts:
    """Counts of a confusion matrix [K, K] by (label, prediction)."""
    matrix = np.array(matrix, np.int64)
    counts = PixelCounts(len(matrix))
    counts.expected, counts.predicted, counts.correct = matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)
    counts.one_lower, counts.one_higher = int(np.trace(matrix, -1)), int(np.trace(matrix, 1))
    return counts


def doubt(matrix: np.ndarray) -> str:
    """The one warning, or nothing."""
    return "".join(find_doubts(counted(matrix), ClassTable(NAMES.names[: len(matrix)])))


def test_pixels_one_class_away_are_counted() -> None:
    pictures = np.random.default_rng(0).integers(0, 5, (2, 40, 40), np.uint8)
    target = pictures[1].copy()
    target[:3] = 255
    counts = PixelCounts(5)
    counts.update(pictures[0], target)
    matrix = np.zeros((5, 5), np.int64)
    np.add.at(matrix, (target[3:], pictures[0][3:]), 1)
    expected = counted(matrix)
    assert (counts.one_lower, counts.one_higher) == (expected.one_lower, expected.one_higher)
    assert np.array_equal(counts.predicted, expected.predicted)


def test_a_model_that_knows_something_is_believed() -> None:
    assert doubt(GOOD) == ""
    assert doubt(np.zeros((4, 4), np.int64)) == ""
    weak = np.outer(LABELS, LABELS) + np.diag(LABELS) * 20  # kappa 0.17
    assert doubt(weak) == ""


@pytest.mark.parametrize(
    "counts",
    [
        np.outer(LABELS, [1, 1, 1, 1]),  # at random
        np.outer(LABELS, LABELS),  # at random, as often as the labels
        np.outer(LABELS, [0, 1, 0, 0]),  # a constant
        GOOD[:, [2, 3, 0, 1]],  # another order
        [[0, 90], [10, 0]],  # two classes, one for the other
    ],
)
def test_near_chance(counts: np.ndarray) -> None:
    text = doubt(counts)
    assert text.startswith("Near chance: ")
    assert "Labels or normalisation do not fit." in text
    assert " everywhere would make it " in text


def test_beside_the_best_constant() -> None:
    text = doubt(np.outer(LABELS, [1, 1, 1, 1]))
    assert text.startswith("Near chance: 25.0 % of the pixels are right; 'road' everywhere would make it 50.0 %.")


@pytest.mark.parametrize(("right", "warns"), [(25, True), (26, False), (100, False), (0, True)])
def test_labels_of_a_single_class(right: int, warns: bool) -> None:
    counts = np.zeros((4, 4), np.int64)
    counts[2] = [100 - right, 0, right, 0]
    assert bool(doubt(counts)) is warns
    assert not warns or "labels name no class but 'car'" in doubt(counts)


def test_labels_that_count_from_one() -> None:
    shifted = np.vstack([np.full((1, 4), 3), GOOD[:3]])  # what was class k is called k + 1, and 0 is not labelled
    text = doubt(shifted)
    assert "would be if every label were one lower: the labels seem to count from 1" in text
    assert "?reduce" in text


def test_labels_that_were_reduced_already() -> None:
    shifted = np.vstack([GOOD[1:], np.zeros((1, 4), np.int64)])
    assert "one higher" in doubt(shifted)
    assert "Leave the option 'reduce' out" in doubt(shifted)


def test_classes_that_no_label_names() -> None:
    counts = GOOD.copy()
    counts[[0, 2]] = 0
    assert missing_classes(counted(counts), NAMES) == ("No label names: sky, car.",)
    assert missing_classes(counted(GOOD), NAMES) == ()
    assert missing_classes(counted(np.zeros((4, 4))), NAMES) == ()


def test_kappa_of_labels_that_chance_always_hits() -> None:
    one = np.array([9, 0])
    assert chance_of(one, one) == 1
    assert np.isnan(kappa(1.0, chance_of(one, one)))
    assert find_doubts(counted(np.diag(one)), default_class_table(2)) == ()
