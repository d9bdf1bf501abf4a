"""From the crop around one person to heatmaps or keypoints, and from those to keypoints in the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import Inference, KeypointRelations, OutputKind
from segpp_deploy.data.geometry.crop import Box, Crop
from segpp_deploy.data.images import ByteImage
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.tasks.pose.decoding import NOT_FOUND, average_with_mirrored, decode_heatmaps

Array = NDArray[Any]

SURE = 0.2
"""Keypoints with a larger score say how sure a pose is; COCO's results count no others."""


@dataclass(frozen=True)
class Pose:
    """One person's keypoints.

    Args:
        points: float32 [K, 2], x and y in pixels of the picture; (-1, -1) where nothing was found.
        scores: float32 [K], the heatmaps' maxima; 0 or less where nothing was found.
        outputs: the session's heatmaps [K, h, w] or keypoints [K, 3] they were read from.
        crop_px: pixels of the picture, and beyond it, that the model was shown.
    """

    points: NDArray[np.float32]
    scores: NDArray[np.float32]
    outputs: tuple[Array, ...] = ()
    crop_px: float = 0.0

    @property
    def score(self) -> float:
        """How sure the model is of the person: the mean score of the keypoints above `SURE`, 0 without any."""
        sure = self.scores[self.scores > SURE]
        return float(sure.mean()) if sure.size else 0.0


class PersonCrop:
    """The part of a picture around one person, and where asked its mirror image.

    Args:
        image: uint8 [H, W, 3].
        box: the person's; None takes all of the picture for one.
        inference: WHOLE, or FLIP for the crop and its mirror image.
        metadata: of the model; FLIP needs its flip pairs.
    """

    def __init__(self, image: ByteImage, box: Box | None, inference: Inference, metadata: ExportMetadata) -> None:
        self._image = image
        self._crop = Crop.around(box or Box.of_picture(image), metadata.size)
        self._metadata = metadata
        self._mirrored = inference is Inference.FLIP

    @property
    def count(self) -> int:
        """The crop, and its mirror image where asked."""
        return 2 if self._mirrored else 1

    def inputs(self) -> Iterator[ByteImage]:
        """Yield the crop, then its mirror image."""
        crop = self._crop.cut(self._image)
        yield crop
        if self._mirrored:
            yield np.ascontiguousarray(crop[:, ::-1])

    def finish(self, outputs: Sequence[Array]) -> Pose:
        """Return the keypoints in the picture."""
        if self._metadata.output_kind is OutputKind.KEYPOINTS:
            in_crop, scores = outputs[0][:, :2].copy(), outputs[0][:, 2].copy()
        else:
            cells, scores = decode_heatmaps(self._heatmaps(outputs))
            in_crop = cells * np.float32(self._metadata.output_stride)
        points = self._crop.to_picture(in_crop)
        points[scores <= 0] = NOT_FOUND
        width, height = self._crop.extent_xy
        return Pose(points, scores, tuple(outputs), width * height)

    def _heatmaps(self, outputs: Sequence[Array]) -> Array:
        if not self._mirrored:
            return outputs[0]
        relations = self._metadata.training.keypoints or KeypointRelations()
        return average_with_mirrored(outputs[0], outputs[1], relations.mirrored(len(self._metadata.classes)))
