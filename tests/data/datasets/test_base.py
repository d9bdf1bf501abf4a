"""A sample's labels are checked against its picture and against the classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segpp_deploy.config import ClassTable, TaskName
from segpp_deploy.data.datasets import IGNORE_INDEX, Dataset, Sample, require_class_count, require_task
from segpp_deploy.data.datasets.labels import LabelFile, label_table
from segpp_deploy.data.label_maps import ignore_index
from segpp_deploy.errors import SegppError


def sample(labels: np.ndarray, table: np.ndarray | None = None) -> Sample[np.ndarray]:
    return Sample("street", lambda: np.zeros((2, 3, 3), np.uint8), LabelFile("street.png", lambda: labels, table))


def stored(*values: int) -> np.ndarray:
    return np.array(values, np.uint8).reshape(2, 3)


def test_labels_without_a_map_are_the_classes() -> None:
    example = sample(stored(0, 1, 2, 3, 255, 0)).load(4)
    labels = example.target
    assert example.image.shape == (2, 3, 3)
    assert example.box is None
    assert labels.dtype == np.uint8
    assert labels.ravel().tolist() == [0, 1, 2, 3, IGNORE_INDEX, 0]


def test_labels_are_mapped() -> None:
    table = label_table({7: 0, 9: 1, 0: IGNORE_INDEX})
    labels = sample(stored(7, 9, 0, 255, 7, 7), table).load(2).target
    assert labels.ravel().tolist() == [0, 1, 255, 255, 0, 0]


def test_value_out_of_range_names_file_value_and_count() -> None:
    with pytest.raises(SegppError, match=r"street\.png holds the label value 4, .* 4 classes"):
        sample(stored(0, 1, 2, 3, 4, 0)).load(4)


def test_value_outside_the_map_is_named_as_stored() -> None:
    with pytest.raises(SegppError, match="label value 8"):
        sample(stored(7, 7, 7, 7, 7, 8), label_table({7: 0})).load(2)


def test_mapped_class_beyond_the_model() -> None:
    with pytest.raises(SegppError, match="label value 9"):
        sample(stored(7, 7, 7, 7, 7, 9), label_table({7: 0, 9: 1})).load(1)


@pytest.mark.parametrize(("num_classes", "ignored"), [(255, 255), (256, 65535), (300, 65535)])
def test_labels_of_many_classes(num_classes: int, ignored: int) -> None:
    values = np.array([[0, 1, 254], [num_classes - 1, 2, ignored]], np.uint16)
    labels = sample(values).load(num_classes).target
    assert labels.dtype == (np.uint8 if num_classes == 255 else np.uint16)
    assert labels.tolist() == values.tolist()
    with pytest.raises(SegppError, match=f"label value {num_classes + 1}, which .* {num_classes} classes"):
        sample(np.full((2, 3), num_classes + 1, np.uint16)).load(num_classes)


def test_ignored_or_a_class_where_bytes_do_not_say() -> None:
    with pytest.raises(SegppError, match="255 in bytes: one of the 300 classes, or ignored"):
        sample(stored(0, 1, 2, 3, 255, 0)).load(300)
    assert sample(stored(0, 1, 2, 3, 254, 0)).load(300).target.dtype == np.uint16


def test_a_table_of_many_classes_says_what_it_ignores() -> None:
    classes = {1000 + index: index for index in range(300)}
    values = np.array([[1000, 1255, 1299], [0, 65535, 1000]], np.uint16)
    table = label_table(classes | {0: ignore_index(300)}, ignore_index(300))
    assert sample(values, table).load(300).target.tolist() == [[0, 255, 299], [65535, 65535, 0]]
    with pytest.raises(ValueError, match="ignores another value than 65535"):
        sample(values, label_table(classes)).load(300)


def test_size_mismatch() -> None:
    with pytest.raises(SegppError, match=r"The picture is 2x3, its labels street\.png are 3x2"):
        sample(np.zeros((3, 2), np.uint8)).load(4)


def test_dataset_is_a_sequence_of_samples() -> None:
    samples = tuple(replace(sample(stored(0, 0, 0, 0, 0, i)), name=f"street {i}") for i in range(5))
    dataset = Dataset("d", samples)
    assert (len(dataset), list(dataset)) == (5, list(samples))
    assert list(dataset.first(2)) == list(samples[:2])
    assert dataset.first(None) is dataset
    assert len(dataset.first(9)) == 5


def test_names_are_unique() -> None:
    with pytest.raises(SegppError, match="Data set d has several samples called 'street'"):
        Dataset("d", (sample(stored(0, 0, 0, 0, 0, 0)),) * 2)


def test_class_count() -> None:
    classes = ClassTable(("a", "b"), ((0, 0, 0), (1, 1, 1)))
    require_class_count(Dataset("d", (), classes=classes), 2)
    require_class_count(Dataset("d", ()), 7)
    with pytest.raises(SegppError, match="model has 19 classes, data set d has 2"):
        require_class_count(Dataset("d", (), classes=classes), 19)


def test_task() -> None:
    require_task(Dataset("d", ()), TaskName.SEG)
    with pytest.raises(SegppError, match="task is pose, data set d is for seg") as caught:
        require_task(Dataset("d", ()), TaskName.POSE)
    assert "--data coco-pose:PATH" in caught.value.fix


@given(st.integers(1, 50), st.integers(1, 60))
def test_spread_takes_what_was_asked_for_in_order(available: int, count: int) -> None:
    samples = tuple(Sample[None](str(index), lambda: np.zeros((1, 1, 3), np.uint8)) for index in range(available))
    taken = [int(one.name) for one in Dataset("d", samples).spread(count)]
    assert len(taken) == min(available, count)
    assert taken == sorted(set(taken))
    gaps = np.diff([-1, *taken, available])
    assert gaps.max() <= 2 * -(-available // count)
