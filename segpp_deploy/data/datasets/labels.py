"""Label maps: one class for every pixel, from the values that a data set stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.datasets.base import AnyDataset
from segpp_deploy.data.datasets.label_options import AS_STORED, DrawnOn, LabelOptions
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.label_maps import MAX_BYTE_CLASSES, LabelMap, ignore_index, label_type
from segpp_deploy.data.orientation import Orientation
from segpp_deploy.errors import SegppError, some_names

IGNORE_INDEX = ignore_index(MAX_BYTE_CLASSES)  # not counted, in label maps of as many classes as bytes can number
INVALID_LABEL = -1

LabelTable = NDArray[np.int32]  # [65536]: class of each stored value, the ignored value, or INVALID_LABEL
_STORED_VALUES = 1 << 16


def _not_turned() -> Orientation:
    return Orientation.NONE


@dataclass(frozen=True)
class LabelFile:
    """The labels of one picture, not yet loaded.

    Args:
        source: the file, or what stands for it, for messages.
        load_stored: gives uint8 or uint16 [H, W] as stored.
        table: what each stored value means; None where the stored value is the class.
        options: what the user said about the values, and about what they were drawn on.
        picture_orientation: gives how the picture was turned when it was read.
        is_drawn: made by code that knows the classes, so that there is nothing to doubt.
    """

    source: str
    load_stored: Callable[[], LabelMap]
    table: LabelTable | None = None
    options: LabelOptions = AS_STORED
    picture_orientation: Callable[[], Orientation] = _not_turned
    is_drawn: bool = False

    def load(self, image: ByteImage, num_outputs: int) -> LabelMap:
        """Return labels [H, W] in 0 .. num_outputs - 1 or `ignore_index(num_outputs)`, upright as the picture is.

        Labels of the size that the picture is stored in are turned as the picture was.

        Raises:
            SegppError: the file is unreadable, its size is not the picture's, or a stored value means no class.
        """
        stored = self._turn(self.load_stored(), image)
        if image.shape[:2] != stored.shape:
            raise self._other_size_error(stored, image)
        return self._mapped(stored, num_outputs)

    def meanings(self, num_classes: int) -> LabelTable:
        """Return what each stored value means for a model of so many classes, as `LabelTable`.

        Raises:
            SegppError: a foreground is named, and the model has more than two classes.
        """
        if self.options.foreground is not None and num_classes != 2:
            raise SegppError(
                f"foreground={self.options.foreground} is for models of two classes; this one has {num_classes}.",
                "label files that hold class indices.",
                "Leave foreground out.",
            )
        ignored = ignore_index(num_classes)
        published = self.table
        if published is None:
            published = label_table({i: i for i in range(num_classes)}, ignored)
        elif published[ignored] != ignored:
            raise ValueError(f"the label table of {self.source} ignores another value than {ignored}")
        too_large = (published >= num_classes) & (published != ignored)
        published = np.where(too_large, INVALID_LABEL, published).astype(np.int32)
        return _renumber(published, self.options, ignored)

    @property
    def is_own_numbering(self) -> bool:
        """Whether stored values are taken for classes as they are: no published format and no option says more."""
        return self.table is None and not self.options.renumbers

    def is_ambiguous(self) -> bool:
        """Whether only an option can say how the labels of a turned picture lie: turned, they keep their size."""
        if self.options.drawn_on is not None:
            return False
        orientation = self.picture_orientation()
        if orientation.swaps_sides:
            height, width = self.load_stored().shape
            return bool(height == width)
        return orientation is not Orientation.NONE

    def _turn(self, stored: LabelMap, image: ByteImage) -> LabelMap:
        orientation = self.picture_orientation()
        if orientation is Orientation.NONE:
            return stored
        height, width = image.shape[:2]
        if orientation.swaps_sides and height != width:
            return orientation.turn(stored) if stored.shape == (width, height) else stored
        return stored if self.options.drawn_on is DrawnOn.UPRIGHT else orientation.turn(stored)

    def _mapped(self, stored: LabelMap, num_classes: int) -> LabelMap:
        table, ignored = self.meanings(num_classes), ignore_index(num_classes)
        present = np.flatnonzero(np.bincount(stored.ravel()))
        is_unclear = self.is_own_numbering and num_classes > MAX_BYTE_CLASSES and stored.dtype == np.uint8
        if is_unclear and IGNORE_INDEX in present:
            raise SegppError(
                f"{self.source} holds the value {IGNORE_INDEX} in bytes: one of the {num_classes} classes, or ignored?",
                f"16-bit labels, with {ignored} for pixels that do not count.",
                f"Save the label maps with 16 bits, and what is to be ignored as {ignored}.",
            )
        unknown = present[table[present] == INVALID_LABEL]
        if unknown.size:
            raise SegppError(
                f"{self.source} holds the label value {int(unknown[0])}, which is none of the {num_classes} classes.",
                expected_values(table, ignored),
                "Check that model and data set have the same classes, and that the labels are class indices.",
            )
        class_of: LabelMap = table.astype(label_type(num_classes))
        return class_of[stored]

    def _other_size_error(self, stored: LabelMap, image: ByteImage) -> SegppError:
        (height, width), (label_height, label_width) = image.shape[:2], stored.shape
        lies_across = (height - width) * (label_height - label_width) < 0
        return SegppError(
            f"The picture is {_size_text(image)}, its labels {self.source} are {_size_text(stored)} (height x width).",
            "a label for every pixel.",
            "The labels lie across the picture: turn them by a quarter, so that they lie as the picture does."
            if lies_across
            else "Resize the labels with nearest-neighbour sampling, or leave the picture out.",
        )


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


def stored_values(dataset: AnyDataset, num_classes: int) -> LabelMap:
    """Return [K] the value that stands for each class in a data set's label files; the class itself where none does.

    Of several values for one class the lowest is taken. All label files of a data set are taken to be alike.
    """
    values = np.arange(num_classes)
    target = next((sample.target for sample in dataset if isinstance(sample.target, LabelFile)), None)
    if target is not None:
        meanings = target.meanings(num_classes)
        for label in range(num_classes):
            found = np.flatnonzero(meanings == label)
            values[label] = found[0] if found.size else label
    stored: LabelMap = values.astype(np.uint8 if values.max(initial=0) <= np.iinfo(np.uint8).max else np.uint16)
    return stored


def expected_values(table: LabelTable, ignored: int) -> str:
    """Say which stored values a table knows.

    Example:
        >>> expected_values(label_table({0: 0, 1: 1, 2: 2}), IGNORE_INDEX)
        'values 0 to 2, or 255 for pixels that do not count.'
        >>> expected_values(label_table({7: 0, 8: 1, 0: IGNORE_INDEX, 255: 0}), IGNORE_INDEX)
        'values 7, 8, 255, or 0 for pixels that do not count.'
    """
    counted = np.flatnonzero((table != INVALID_LABEL) & (table != ignored)).tolist()
    left_out = np.flatnonzero(table == ignored).tolist()
    rest = f", or {_listed(left_out)} for pixels that do not count" if left_out else ""
    return f"values {_listed(counted)}{rest}."


def _renumber(published: LabelTable, options: LabelOptions, ignored: int) -> LabelTable:
    """Return the table of stored values, where options say how they stand for the published ones."""
    table: LabelTable = published.copy()
    if options.reduce:
        table[1:] = published[:-1]
        table[ignored + 1 : ignored + 2] = INVALID_LABEL  # what does not count is not moved
        table[0] = table[ignored] = ignored
    if options.foreground is not None:
        table[:] = INVALID_LABEL
        table[0], table[ignored], table[options.foreground] = published[0], ignored, published[1]
    table[list(options.ignore)] = ignored
    return table


def _listed(values: list[int]) -> str:
    """Return "0 to 18" or "0, 5, 7"."""
    if len(values) > 2 and values[-1] - values[0] == len(values) - 1:
        return f"{values[0]} to {values[-1]}"
    return some_names(map(str, values))


def _size_text(pixels: ByteImage | LabelMap) -> str:
    return f"{pixels.shape[0]}x{pixels.shape[1]}"
