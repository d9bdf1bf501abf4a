"""The pictures that every row is judged on: found, read once, and known by their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from segpp_deploy.config import MAX_FAILURES, ClassTable, TaskName
from segpp_deploy.data.datasets import AnyDataset, Example, require_class_count, require_task
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.datasets.selection import open_pictures
from segpp_deploy.errors import UnreadableFileError
from segpp_deploy.evaluation.failures import Failures
from segpp_deploy.progress import Progress


@dataclass(frozen=True)
class Inputs:
    """What rows are judged on.

    Args:
        dataset: the samples that can be read; the same for every row.
        identity: hash of their names, pixels and targets.
        failures: what cannot be read.
    """

    dataset: AnyDataset
    identity: str
    failures: Failures

    @property
    def has_targets(self) -> bool:
        """Whether every sample says what is true of it."""
        return all(sample.target is not None for sample in self.dataset)


def open_data(data: str | AnyDataset, limit: int | None, task: TaskName, classes: ClassTable) -> AnyDataset:
    """Return the samples that were asked for, without reading them.

    Raises:
        SegppError: no such data, or data for another task or other classes.
    """
    if isinstance(data, str):
        is_directory = ":" not in data and Path(data).is_dir()
        data = open_pictures(Path(data), task) if is_directory else parse_dataset(data)
    require_task(data, task)
    require_class_count(data, len(classes))
    return data.first(limit)


def read_inputs(dataset: AnyDataset, num_outputs: int, progress: Progress) -> Inputs:
    """Read every sample once, one at a time: what cannot be read is left out of all rows alike.

    Raises:
        SegppError: more samples cannot be read than may, or none can.
    """
    failures, digest = Failures(MAX_FAILURES), hashlib.sha256()
    readable = []
    for done, sample in enumerate(dataset):
        progress("Reading the pictures", done, len(dataset))
        try:
            _add(digest, sample.name, sample.load(num_outputs))
        except UnreadableFileError as error:
            failures.add(sample.name, error)
        else:
            readable.append(sample)
    if not readable:
        failures.raise_any(len(dataset))
    progress("Reading the pictures", len(dataset), len(dataset))
    return Inputs(replace(dataset, samples=tuple(readable)), digest.hexdigest(), failures)


def _add(digest: Any, name: str, example: Example[Any]) -> None:
    digest.update(f"{name} {example.image.shape} {example.box}\n".encode())
    digest.update(np.ascontiguousarray(example.image))
    target = example.target
    digest.update(np.ascontiguousarray(target) if isinstance(target, np.ndarray) else repr(target).encode())
