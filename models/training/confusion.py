"""Confusion matrices on any device, and the accuracy they say."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from segpp_deploy.data.datasets.labels import IGNORE_INDEX

Counts = NDArray[np.int64]


def count_confusion(labels: torch.Tensor, predicted: torch.Tensor, num_classes: int) -> Counts:
    """Return the [K, K] counts (rows: truth) of the pixels that are not to be ignored; both of one shape."""
    judged = labels != IGNORE_INDEX
    cells = labels[judged].long() * num_classes + predicted[judged].long()
    counts = torch.bincount(cells, minlength=num_classes**2).view(num_classes, num_classes)
    return np.asarray(counts.cpu().numpy(), np.int64)


def iou_percent(confusion: Counts) -> NDArray[np.float64]:
    """Intersection over union per class, in percent."""
    hits = np.diag(confusion)
    return np.asarray(100 * hits / np.maximum(confusion.sum(0) + confusion.sum(1) - hits, 1), np.float64)
