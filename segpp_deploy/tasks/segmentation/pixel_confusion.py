"""How many pixels of each class were predicted as which."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.label_maps import LabelMap, ignore_index
from segpp_deploy.tasks.segmentation.prediction import Segmentation


class PixelConfusion:
    """Counts pixels, [K, K]: rows are true classes, columns predicted ones; ignored pixels do not count."""

    def __init__(self, num_classes: int) -> None:
        self._counts = np.zeros((num_classes, num_classes), np.int64)

    def update(self, prediction: Segmentation, target: LabelMap) -> None:
        """Add one picture and its labels [H, W]."""
        num_classes = len(self._counts)
        counted = target != ignore_index(num_classes)
        pairs = target[counted].astype(np.int64) * num_classes + prediction.labels[counted]
        self._counts += np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)

    def merge(self, other: PixelConfusion) -> None:
        """Add what another one counted."""
        self._counts += other._counts

    def counts(self) -> NDArray[np.int64]:
        """Return the counts."""
        return self._counts
