"""What label files hold, counted: stored values, and what those mean for a model."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from segpp_deploy.data.datasets.labels import INVALID_LABEL, LabelFile, LabelTable, label_table
from segpp_deploy.data.label_maps import ignore_index
from segpp_deploy.errors import SegppError


@dataclass
class SeenLabels:
    """Counts over label files; those that cannot be read are left to whoever loads them.

    Args:
        num_classes: of the model.
        files: that were read.
        pixels: by stored value.
        unknown: the files that hold it, by each stored value that is no class.
        classes: of the model, that were seen.
        ignored_pixels: pixels that do not count.
        is_own_numbering: no published format and no option says what the values mean.
        table: what the values of the last file mean.
    """

    num_classes: int
    files: int = 0
    pixels: Counter[int] = field(default_factory=Counter)
    unknown: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    classes: set[int] = field(default_factory=set)
    ignored_pixels: int = 0
    is_own_numbering: bool = True
    table: LabelTable = field(default_factory=lambda: label_table({}))

    def add(self, file: LabelFile) -> None:
        """Count a file."""
        self.table = file.meanings(self.num_classes)
        self.is_own_numbering &= file.is_own_numbering
        try:
            stored = file.load_stored()
        except SegppError:
            return
        self.files += 1
        counts = np.bincount(stored.ravel(), minlength=len(self.table))
        for value in np.flatnonzero(counts).tolist():
            meaning, pixels = int(self.table[value]), int(counts[value])
            self.pixels[value] += pixels
            if meaning == INVALID_LABEL:
                self.unknown[value].append(file.source)
            elif meaning == self.ignored:
                self.ignored_pixels += pixels
            else:
                self.classes.add(meaning)

    @property
    def ignored(self) -> int:
        """The stored value that does not count where nothing else is said."""
        return ignore_index(self.num_classes)

    def share_ignored(self) -> float:
        """Return the fraction of pixels that do not count."""
        return self.ignored_pixels / max(1, sum(self.pixels.values()))
