"""Data sets, opened by `KIND:PATH`; a new kind is one module here and one line in `registry`."""

from segpp_deploy.data.datasets.base import AnyDataset, Dataset, Example, Sample, require_class_count, require_task
from segpp_deploy.data.datasets.labels import IGNORE_INDEX
from segpp_deploy.data.datasets.registry import parse_dataset

__all__ = [
    "IGNORE_INDEX",
    "AnyDataset",
    "Dataset",
    "Example",
    "Sample",
    "parse_dataset",
    "require_class_count",
    "require_task",
]
