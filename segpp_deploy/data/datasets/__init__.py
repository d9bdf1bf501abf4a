"""Data sets, opened by `KIND:PATH` (`registry.parse_dataset`); a new kind is one module here and one line there."""

from segpp_deploy.data.datasets.base import AnyDataset, Dataset, Example, Sample, require_class_count, require_task
from segpp_deploy.data.datasets.labels import IGNORE_INDEX

__all__ = [
    "IGNORE_INDEX",
    "AnyDataset",
    "Dataset",
    "Example",
    "Sample",
    "require_class_count",
    "require_task",
]
