"""Label maps: one class for every pixel, from the values that a data set stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.images import ByteImage
from segpp_deploy.errors import SegppError

IGNORE_INDEX = 255  # in every label map that `LabelFile.load` returns: not counted
INVALID_LABEL = -1

LabelTable = NDArray[np.int16]  # [256]: class of each stored value, IGNORE_INDEX, or INVALID_LABEL


@dataclass(frozen=True)
class LabelFile:
    """The labels of one picture, not yet loaded.

    Args:
        source: the file, or what stands for it, for messages.
        load_stored: gives uint8 [H, W] as stored.
        table: what each stored value means; None where the stored value is the class.
    """

    source: str
    load_stored: Callable[[], ByteImage]
    table: LabelTable | None = None

    def load(self, image: ByteImage, num_outputs: int) -> ByteImage:
        """Return labels uint8 [H, W] in 0 .. num_outputs - 1 or `IGNORE_INDEX`.

        Raises:
            SegppError: the file is unreadable, its size is not the picture's, or a stored value means no class.
        """
        stored = self.load_stored()
        if image.shape[:2] != stored.shape:
            raise SegppError(
                f"The picture is {_size_text(image)}, its labels {self.source} are {_size_text(stored)} "
                "(height x width).",
                "a label for every pixel.",
                "Resize the labels with nearest-neighbour sampling, or leave the picture out.",
            )
        return self._mapped(stored, num_outputs)

    def _mapped(self, stored: ByteImage, num_classes: int) -> ByteImage:
        table = self.table if self.table is not None else label_table({i: i for i in range(num_classes)})
        present = np.flatnonzero(np.bincount(stored.ravel(), minlength=256))
        unknown = present[(table[present] == INVALID_LABEL) | _too_large(table[present], num_classes)]
        if unknown.size:
            raise SegppError(
                f"{self.source} holds the label value {int(unknown[0])}, which is none of the {num_classes} classes.",
                f"values 0 to {num_classes - 1}, or {IGNORE_INDEX} for pixels that do not count."
                if self.table is None
                else "the label values of that data set's published format.",
                "Check that model and data set have the same classes, and that the labels are class indices.",
            )
        mapped: ByteImage = table.astype(np.uint8)[stored]
        return mapped


def label_table(classes: Mapping[int, int]) -> LabelTable:
    """Build the table from stored value to class; 255 is ignored and every other value invalid.

    Example:
        >>> table = label_table({7: 0, 0: IGNORE_INDEX})
        >>> [int(table[value]) for value in (7, 0, 255, 8)]
        [0, 255, 255, -1]
    """
    table = np.full(256, INVALID_LABEL, np.int16)
    table[IGNORE_INDEX] = IGNORE_INDEX
    for stored, target in classes.items():
        table[stored] = target
    return table


def _too_large(classes: NDArray[np.int16], num_classes: int) -> NDArray[np.bool_]:
    too_large: NDArray[np.bool_] = (classes >= num_classes) & (classes != IGNORE_INDEX)
    return too_large


def _size_text(pixels: ByteImage) -> str:
    return f"{pixels.shape[0]}x{pixels.shape[1]}"
