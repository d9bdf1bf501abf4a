"""Label maps: one class for every pixel, from the values that a data set stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.label_maps import MAX_BYTE_CLASSES, LabelMap, ignore_index, label_type
from segpp_deploy.errors import SegppError

IGNORE_INDEX = ignore_index(MAX_BYTE_CLASSES)  # not counted, in label maps of as many classes as bytes can number
INVALID_LABEL = -1

LabelTable = NDArray[np.int32]  # [65536]: class of each stored value, the ignored value, or INVALID_LABEL
_STORED_VALUES = 1 << 16


@dataclass(frozen=True)
class LabelFile:
    """The labels of one picture, not yet loaded.

    Args:
        source: the file, or what stands for it, for messages.
        load_stored: gives uint8 or uint16 [H, W] as stored.
        table: what each stored value means; None where the stored value is the class.
    """

    source: str
    load_stored: Callable[[], LabelMap]
    table: LabelTable | None = None

    def load(self, image: ByteImage, num_outputs: int) -> LabelMap:
        """Return labels [H, W] in 0 .. num_outputs - 1 or `ignore_index(num_outputs)`.

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

    def _mapped(self, stored: LabelMap, num_classes: int) -> LabelMap:
        ignored = ignore_index(num_classes)
        table = self.table if self.table is not None else label_table({i: i for i in range(num_classes)}, ignored)
        if table[ignored] != ignored:
            raise ValueError(f"the label table of {self.source} ignores another value than {ignored}")
        present = np.flatnonzero(np.bincount(stored.ravel()))
        is_unclear = self.table is None and num_classes > MAX_BYTE_CLASSES and stored.dtype == np.uint8
        if is_unclear and IGNORE_INDEX in present:
            raise SegppError(
                f"{self.source} holds the value {IGNORE_INDEX} in bytes: one of the {num_classes} classes, or ignored?",
                f"16-bit labels, with {ignored} for pixels that do not count.",
                f"Save the label maps with 16 bits, and what is to be ignored as {ignored}.",
            )
        unknown = present[(table[present] == INVALID_LABEL) | _too_large(table[present], num_classes, ignored)]
        if unknown.size:
            raise SegppError(
                f"{self.source} holds the label value {int(unknown[0])}, which is none of the {num_classes} classes.",
                f"values 0 to {num_classes - 1}, or {ignored} for pixels that do not count."
                if self.table is None
                else "the label values of that data set's published format.",
                "Check that model and data set have the same classes, and that the labels are class indices.",
            )
        class_of: LabelMap = table.astype(label_type(num_classes))
        return class_of[stored]


def label_table(classes: Mapping[int, int], ignored: int = IGNORE_INDEX) -> LabelTable:
    """Build the table from stored value to class; `ignored` is ignored and every other value invalid.

    Args:
        classes: the class of each stored value, or `ignored`.
        ignored: `ignore_index` of the number of classes.

    Example:
        >>> table = label_table({7: 0, 0: IGNORE_INDEX})
        >>> [int(table[value]) for value in (7, 0, 255, 8)]
        [0, 255, 255, -1]
    """
    table = np.full(_STORED_VALUES, INVALID_LABEL, np.int32)
    table[ignored] = ignored
    for stored, target in classes.items():
        table[stored] = target
    return table


def _too_large(classes: LabelTable, num_classes: int, ignored: int) -> NDArray[np.bool_]:
    too_large: NDArray[np.bool_] = (classes >= num_classes) & (classes != ignored)
    return too_large


def _size_text(pixels: ByteImage | LabelMap) -> str:
    return f"{pixels.shape[0]}x{pixels.shape[1]}"
