"""A sample's labels are checked against its picture and against the classes."""

from __future__ import annotations

import numpy as np
import pytest

from segpp_deploy.config import ClassTable
from segpp_deploy.data.datasets import IGNORE_INDEX, Sample, SegmentationDataset, require_class_count
from segpp_deploy.data.datasets.base import label_map
from segpp_deploy.errors import SegppError


def sample(labels: np.ndarray, table: np.ndarray | None = None) -> Sample:
    return Sample("street", "street.png", lambda: np.zeros((2, 3, 3), np.uint8), lambda: labels, table)


def stored(*values: int) -> np.ndarray:
    return np.array(values, np.uint8).reshape(2, 3)


def test_labels_without_a_map_are_the_classes() -> None:
    image, labels = sample(stored(0, 1, 2, 3, 255, 0)).load(4)
    assert image.shape == (2, 3, 3)
    assert labels.dtype == np.uint8
    assert labels.ravel().tolist() == [0, 1, 2, 3, IGNORE_INDEX, 0]


def test_labels_are_mapped() -> None:
    table = label_map({7: 0, 9: 1, 0: IGNORE_INDEX})
    _, labels = sample(stored(7, 9, 0, 255, 7, 7), table).load(2)
    assert labels.ravel().tolist() == [0, 1, 255, 255, 0, 0]


def test_value_out_of_range_names_file_value_and_count() -> None:
    with pytest.raises(SegppError, match=r"street\.png holds the label value 4, .* 4 classes"):
        sample(stored(0, 1, 2, 3, 4, 0)).load(4)


def test_value_outside_the_map_is_named_as_stored() -> None:
    with pytest.raises(SegppError, match="label value 8"):
        sample(stored(7, 7, 7, 7, 7, 8), label_map({7: 0})).load(2)


def test_mapped_class_beyond_the_model() -> None:
    with pytest.raises(SegppError, match="label value 9"):
        sample(stored(7, 7, 7, 7, 7, 9), label_map({7: 0, 9: 1})).load(1)


def test_size_mismatch() -> None:
    with pytest.raises(SegppError, match=r"street: the picture is 2x3, its labels street\.png are 3x2"):
        sample(np.zeros((3, 2), np.uint8)).load(4)


def test_dataset_is_a_sequence_of_samples() -> None:
    samples = tuple(sample(stored(0, 0, 0, 0, 0, i)) for i in range(5))
    dataset = SegmentationDataset("d", samples)
    assert (len(dataset), list(dataset)) == (5, list(samples))
    assert list(dataset.first(2)) == list(samples[:2])
    assert dataset.first(None) is dataset
    assert len(dataset.first(9)) == 5


def test_class_count() -> None:
    classes = ClassTable(("a", "b"), ((0, 0, 0), (1, 1, 1)))
    require_class_count(SegmentationDataset("d", (), classes), 2)
    require_class_count(SegmentationDataset("d", ()), 7)
    with pytest.raises(SegppError, match="model has 19 classes, data set d has 2"):
        require_class_count(SegmentationDataset("d", (), classes), 19)
