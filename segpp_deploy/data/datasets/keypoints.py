"""Keypoints of one person in a picture, as an annotation holds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.data.datasets.coco_json import CocoFile
from segpp_deploy.data.images import ByteImage
from segpp_deploy.errors import SegppError


@dataclass(frozen=True)
class PersonEntry:
    """Which entry of an annotation file a person is, for metrics that look at whole pictures.

    Args:
        image_id: the picture's number.
        box_score: how sure the detector was of the box; 1 for a box that was annotated.
        truth: the file.
    """

    image_id: int
    box_score: float
    truth: CocoFile


@dataclass(frozen=True)
class Keypoints:
    """What is true of one person.

    Args:
        points: float32 [K, 2], x and y in pixels of the picture as it is loaded: upright, where EXIF turns it.
        is_labelled: bool [K]; keypoints without a label do not count.
        person_px: the longer side of the person's box, unpadded and clipped to the picture: what distances are
            measured by.
        entry: where the person stands in an annotation file; None without one.
    """

    points: NDArray[np.float32]
    is_labelled: NDArray[np.bool_]
    person_px: float
    entry: PersonEntry | None = None


@dataclass(frozen=True)
class KeypointAnnotation:
    """The keypoints of one sample.

    Args:
        source: the file and entry, for messages.
        keypoints: what it says.
    """

    source: str
    keypoints: Keypoints

    def load(self, image: ByteImage, num_outputs: int) -> Keypoints:
        """Return the keypoints.

        Raises:
            SegppError: the model predicts another number of them.
        """
        found = len(self.keypoints.points)
        if found != num_outputs:
            raise SegppError(
                f"{self.source} has {found} keypoints, the model predicts {num_outputs}.",
                "the same keypoints, in the same order.",
                "Choose a model that was trained for these keypoints.",
            )
        return self.keypoints
