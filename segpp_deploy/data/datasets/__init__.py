"""Data sets with labels, opened by `KIND:PATH`; a new kind is one module here and one line in `registry`."""

from segpp_deploy.data.datasets.base import (
    IGNORE_INDEX,
    Sample,
    SegmentationDataset,
    require_class_count,
)
from segpp_deploy.data.datasets.registry import parse_dataset

__all__ = ["IGNORE_INDEX", "Sample", "SegmentationDataset", "parse_dataset", "require_class_count"]
