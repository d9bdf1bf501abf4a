"""The images of a calibration: which are taken, and whether they stand for what the engine will see."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import ClassTable, Task
from segpp_deploy.data.datasets import IGNORE_INDEX, Sample, SegmentationDataset, parse_dataset
from segpp_deploy.data.images import ByteImage, list_images, read_image
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.metadata import ExportMetadata

FEW_IMAGES = 16
DIRECTORY = "directory"

_HELD_OUT_SPLITS = ("val", "validation")
_SCENES = "scenes"
_THUMBNAIL_SIDE = 8
_CONSTANT_STD = 2.0  # grey levels: the noise of a covered lens is below it
_ALIKE = 4.0  # grey levels between thumbnails
_SHOWN_NAMES = 5

T = TypeVar("T")
Labels = ByteImage | None


@dataclass(frozen=True)
class CalibrationImage:
    """One image, not yet loaded; `load` gives the picture uint8 [H, W, 3] and its labels [H, W], if there are any."""

    name: str
    load: Callable[[], tuple[ByteImage, Labels]]


@dataclass(frozen=True)
class CalibrationSet:
    """The chosen images.

    Args:
        data: kind and split of the data set without its path, or `DIRECTORY`.
        images: in a fixed order.
        classes: of the labels; None where there are none to look at.
        warnings: what the choice itself gives reason for.
    """

    data: str
    images: tuple[CalibrationImage, ...]
    classes: ClassTable | None
    warnings: tuple[str, ...]


def choose_images(data: str, count: int, metadata: ExportMetadata) -> CalibrationSet:
    """Take `count` images, or all where there are fewer, spread evenly over a data set or a directory.

    Args:
        data: KIND:PATH[#SPLIT], scenes[:N][#train], or a directory of pictures.
        count: how many.
        metadata: the model's; labels are looked at where they can be of its classes.

    Raises:
        SegppError: count below 1, no such data, or none in it.
    """
    if count < 1:
        raise SegppError(f"--images {count} leaves no image.", "a number of at least 1.", "--images 64")
    kind = data.partition(":")[0].partition("#")[0]
    if kind == _SCENES or (":" in data and not Path(data).is_dir()):
        return _choose_samples(parse_dataset(data), count, metadata)
    paths = spread(list_images(Path(data)), count)
    images = tuple(CalibrationImage(path.name, partial(_load_picture, path)) for path in paths)
    return CalibrationSet(DIRECTORY, images, None, ())


def spread(items: Sequence[T], count: int) -> list[T]:
    """Return `count` of the items at equal distances, or all where there are fewer.

    Example:
        >>> spread("abcdef", 2)
        ['b', 'e']
    """
    if len(items) <= count:
        return list(items)
    return [items[(2 * i + 1) * len(items) // (2 * count)] for i in range(count)]


def _choose_samples(dataset: SegmentationDataset, count: int, metadata: ExportMetadata) -> CalibrationSet:
    kind, _, rest = dataset.name.partition(":")
    split = rest.rpartition("#")[2] if "#" in rest else ""
    num_classes = len(metadata.classes)
    can_be_ours = dataset.classes is None or len(dataset.classes) == num_classes
    classes = (dataset.classes or metadata.classes) if can_be_ours and metadata.task is Task.SEG else None
    load = partial(_load_with_labels, num_classes=num_classes) if classes else _load_without_labels
    images = tuple(CalibrationImage(sample.name, partial(load, sample)) for sample in spread(dataset.samples, count))
    warnings = []
    if split in _HELD_OUT_SPLITS or (kind == _SCENES and not split):
        warnings.append(
            f"{dataset.name} is what `validate` measures on by default; calibrate on other images (#train), or figures "
            "measured there flatter."
        )
    if classes is None and metadata.task is Task.SEG:
        warnings.append(f"{dataset.name} has other classes than the model: whether all classes occur was not checked.")
    return CalibrationSet(f"{kind}#{split}" if split else kind, images, classes, tuple(warnings))


def _load_picture(path: Path) -> tuple[ByteImage, Labels]:
    return read_image(path), None


def _load_with_labels(sample: Sample, num_classes: int) -> tuple[ByteImage, Labels]:
    return sample.load(num_classes)


def _load_without_labels(sample: Sample) -> tuple[ByteImage, Labels]:
    return sample.load_image(), None


@dataclass
class ImageSurvey:
    """Takes note of every image, in constant space for each, and says what is wrong with them as a set."""

    classes: ClassTable | None
    _digests: list[str] = field(default_factory=list)
    _thumbnails: list[NDArray[np.float32]] = field(default_factory=list)
    _constant: list[str] = field(default_factory=list)
    _seen_classes: set[int] = field(default_factory=set)

    def add(self, name: str, image: ByteImage, labels: Labels) -> None:
        """Take note of a picture [H, W, 3] and its labels [H, W]."""
        digest = hashlib.sha256(f"{image.shape}".encode())
        digest.update(image.tobytes())
        self._digests.append(digest.hexdigest())
        side = (_THUMBNAIL_SIDE, _THUMBNAIL_SIDE)
        self._thumbnails.append(cv2.resize(image, side, interpolation=cv2.INTER_AREA).astype(np.float32))
        if image.reshape(-1, image.shape[2]).std(axis=0).max() < _CONSTANT_STD:
            self._constant.append(name)
        if labels is not None:
            self._seen_classes.update(np.flatnonzero(np.bincount(labels.ravel(), minlength=256)).tolist())

    @property
    def sha256(self) -> str:
        """Hash over all pictures; their names and their order do not matter."""
        return hashlib.sha256("".join(sorted(self._digests)).encode()).hexdigest()

    def warnings(self) -> tuple[str, ...]:
        """Return what makes the set a poor one.

        Raises:
            SegppError: no picture shows anything.
        """
        found = len(self._digests)
        if len(self._constant) == found:
            raise SegppError(
                f"All {found} calibration images are of one colour, e.g. black.",
                "pictures like those the engine will see.",
                "Choose another --data.",
            )
        checks = (self._few(), self._one_colour(), self._copies() or self._alike(), self._missing_classes())
        return tuple(check for check in checks if check)

    def _few(self) -> str:
        found = len(self._digests)
        return f"Only {found} calibration images; {FEW_IMAGES} or more are advised." if found < FEW_IMAGES else ""

    def _one_colour(self) -> str:
        if not self._constant:
            return ""
        return f"{len(self._constant)} calibration images are of one colour: {_some(self._constant)}."

    def _copies(self) -> str:
        copies = len(self._digests) - len(set(self._digests))
        return f"{copies} of {len(self._digests)} calibration images are copies of others." if copies else ""

    def _alike(self) -> str:
        thumbnails = np.stack(self._thumbnails)
        spread_of_set = np.abs(thumbnails - thumbnails.mean(axis=0)).mean(axis=(1, 2, 3)).max()
        if len(thumbnails) == 1 or spread_of_set >= _ALIKE:
            return ""
        return "The calibration images look nearly the same; take them from different places and times."

    def _missing_classes(self) -> str:
        if self.classes is None:
            return ""
        missing = [name for index, name in enumerate(self.classes.names) if index not in self._seen_classes]
        if not missing or not self._seen_classes - {IGNORE_INDEX}:
            return "" if not missing else "The labels of the calibration images name no class at all."
        return f"No calibration image shows: {_some(missing)}."


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
