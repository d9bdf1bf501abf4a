"""What every data set offers: named samples that load a picture and its checked labels when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import ClassTable
from segpp_deploy.data.images import ByteImage
from segpp_deploy.errors import SegppError

IGNORE_INDEX = 255  # in every label map that `Sample.load` returns: not counted

LabelMap = NDArray[np.int16]  # [256]: class of each stored value, IGNORE_INDEX, or INVALID_LABEL
INVALID_LABEL = -1


@dataclass(frozen=True)
class DatasetSpec:
    """KIND:PATH#SPLIT as the user wrote it, taken apart; PATH is empty where none was given."""

    kind: str
    path: str
    split: str | None = None

    def root(self) -> Path:
        """Return PATH as an existing directory.

        Raises:
            SegppError: no path given, or it is not a directory.
        """
        if not self.path:
            raise SegppError(
                f"Data set kind {self.kind!r} needs a path.",
                f"{self.kind}:PATH, where PATH is the directory of the data set.",
                f"--data {self.kind}:PATH",
            )
        # no shell expands the ~ in KIND:~/PATH
        return require_directory(Path(self.path).expanduser(), self.kind)


@dataclass(frozen=True)
class Sample:
    """One picture and its labels, not yet loaded.

    Args:
        name: unique in its data set; shown in messages and used for file names.
        label_source: the label file, or what stands for it, for messages.
        load_image: gives uint8 [H, W, 3], RGB.
        load_stored_labels: gives uint8 [H, W] as stored.
        label_map: what each stored value means; None where the stored value is the class.
    """

    name: str
    label_source: str
    load_image: Callable[[], ByteImage]
    load_stored_labels: Callable[[], ByteImage]
    label_map: LabelMap | None = None

    def load(self, num_classes: int) -> tuple[ByteImage, ByteImage]:
        """Return the picture uint8 [H, W, 3] and labels uint8 [H, W] in 0 .. num_classes - 1 or `IGNORE_INDEX`.

        Raises:
            SegppError: a file is unreadable, the two sizes differ, or a stored value means no class.
        """
        image, stored = self.load_image(), self.load_stored_labels()
        if image.shape[:2] != stored.shape:
            raise SegppError(
                f"{self.name}: the picture is {_size_text(image)}, its labels {self.label_source} are "
                f"{_size_text(stored)} (height x width).",
                "a label for every pixel.",
                "Resize the labels with nearest-neighbour sampling, or leave the picture out.",
            )
        return image, self._mapped(stored, num_classes)

    def _mapped(self, stored: ByteImage, num_classes: int) -> ByteImage:
        table = self.label_map if self.label_map is not None else label_map({i: i for i in range(num_classes)})
        present = np.flatnonzero(np.bincount(stored.ravel(), minlength=256))
        unknown = present[(table[present] == INVALID_LABEL) | _too_large(table[present], num_classes)]
        if unknown.size:
            raise SegppError(
                f"{self.label_source} holds the label value {int(unknown[0])}, which is none of the "
                f"{num_classes} classes.",
                f"values 0 to {num_classes - 1}, or {IGNORE_INDEX} for pixels that do not count."
                if self.label_map is None
                else "the label values of that data set's published format.",
                "Check that model and data set have the same classes, and that the labels are class indices.",
            )
        mapped: ByteImage = table.astype(np.uint8)[stored]
        return mapped


@dataclass(frozen=True)
class SegmentationDataset:
    """An ordered collection of samples.

    Args:
        name: as the user would write it.
        samples: in a fixed order.
        classes: the names its label values stand for; None where the data set does not say.
    """

    name: str
    samples: tuple[Sample, ...]
    classes: ClassTable | None = None
    ignore_index: int = IGNORE_INDEX

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def first(self, count: int | None) -> SegmentationDataset:
        """Return the data set cut to its first `count` samples; None keeps all."""
        return self if count is None else replace(self, samples=self.samples[:count])


def require_class_count(dataset: SegmentationDataset, num_classes: int) -> None:
    """Check that a model can be judged on a data set.

    Raises:
        SegppError: the data set names its classes and the model has another number of them.
    """
    if dataset.classes is not None and len(dataset.classes) != num_classes:
        raise SegppError(
            f"The model has {num_classes} classes, data set {dataset.name} has {len(dataset.classes)}.",
            "a model trained for the classes of the data set.",
            f"Choose another --data, or a model with {len(dataset.classes)} classes.",
        )


def label_map(classes: Mapping[int, int]) -> LabelMap:
    """Build the table from stored value to class; 255 is ignored and every other value invalid.

    Example:
        >>> table = label_map({7: 0, 0: IGNORE_INDEX})
        >>> [int(table[value]) for value in (7, 0, 255, 8)]
        [0, 255, 255, -1]
    """
    table = np.full(256, INVALID_LABEL, np.int16)
    table[IGNORE_INDEX] = IGNORE_INDEX
    for stored, target in classes.items():
        table[stored] = target
    return table


def require_directory(path: Path, kind: str) -> Path:
    """Return `path` if it is a directory, else raise a `SegppError` naming the data set kind."""
    if not path.is_dir():
        raise SegppError(
            f"{path} is not a directory." if path.exists() else f"No such directory: {path}.",
            f"a directory of the {kind} layout.",
            f"Check the path in --data {kind}:PATH.",
        )
    return path


def _too_large(classes: NDArray[np.int16], num_classes: int) -> NDArray[np.bool_]:
    too_large: NDArray[np.bool_] = (classes >= num_classes) & (classes != IGNORE_INDEX)
    return too_large


def _size_text(pixels: ByteImage) -> str:
    return f"{pixels.shape[0]}x{pixels.shape[1]}"
