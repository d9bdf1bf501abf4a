"""Whether a set of pictures is fit to calibrate on: enough of them, varied, showing every class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import ClassTable
from segpp_deploy.data.images import ByteImage
from segpp_deploy.errors import SegppError

FEW_IMAGES = 16

_THUMBNAIL_SIDE = 8
_CONSTANT_STD = 2.0  # grey levels: the noise of a covered lens is below it
_ALIKE = 4.0  # grey levels between thumbnails
_SHOWN_NAMES = 5


@dataclass
class ImageSurvey:
    """Takes note of every image, in constant space for each, and says what is wrong with them as a set."""

    classes: ClassTable | None
    _digests: list[str] = field(default_factory=list)
    _thumbnails: list[NDArray[np.float32]] = field(default_factory=list)
    _constant: list[str] = field(default_factory=list)
    _seen_classes: set[int] = field(default_factory=set)
    _unusable_labels: list[str] = field(default_factory=list)

    def add(self, name: str, image: ByteImage, shown: frozenset[int] | None) -> None:
        """Take note of a picture [H, W, 3] and the classes that its target shows; None where it cannot be used."""
        digest = hashlib.sha256(f"{image.shape}".encode())
        digest.update(image.tobytes())
        self._digests.append(digest.hexdigest())
        side = (_THUMBNAIL_SIDE, _THUMBNAIL_SIDE)
        self._thumbnails.append(cv2.resize(image, side, interpolation=cv2.INTER_AREA).astype(np.float32))
        if image.reshape(-1, image.shape[2]).std(axis=0).max() < _CONSTANT_STD:
            self._constant.append(name)
        if shown is None:
            self._unusable_labels.append(name)
        else:
            self._seen_classes |= shown

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
                "Choose other pictures.",
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
        if self._unusable_labels:
            return (
                f"The labels of {len(self._unusable_labels)} calibration images cannot be used "
                f"({_some(self._unusable_labels)}): whether all classes occur was not checked."
            )
        missing = [name for index, name in enumerate(self.classes.names) if index not in self._seen_classes]
        if not missing or not self._seen_classes:
            return "" if not missing else "The labels of the calibration images name no class at all."
        return f"No calibration image shows: {_some(missing)}."


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
