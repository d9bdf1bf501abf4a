"""What a confusion matrix gives reason to doubt: chance level, and labels that are off by one class."""

from __future__ import annotations

import numpy as np
import pytest

from segpp_deploy.config import ClassTable, default_class_table
from segpp_deploy.tasks.protocol.chance import chance_of, kappa
from segpp_deploy.tasks.segmentation.doubts import find_doubts, missing_classes

NAMES = ClassTable(("sky", "road", "car", "tree"))
LABELS = np.array([10, 50, 30, 10])
GOOD = np.diag(LABELS) * 8 + np.outer(LABELS, LABELS) // 50


def doubt(counts: np.ndarray) -> str:
    """The one warning, or nothing."""
    return "".join(find_doubts(np.array(counts), ClassTable(NAMES.names[: len(counts)])))


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
    assert missing_classes(counts, NAMES) == ("No label names: sky, car.",)
    assert missing_classes(GOOD, NAMES) == ()
    assert missing_classes(np.zeros((4, 4), np.int64), NAMES) == ()


def test_kappa_of_labels_that_chance_always_hits() -> None:
    one = np.zeros((2, 2), np.int64)
    one[0, 0] = 9
    assert chance_of(one) == 1
    assert np.isnan(kappa(1.0, chance_of(one)))
    assert find_doubts(one, default_class_table(2)) == ()
