"""From a picture to what a segmentation model is shown of it, and from the model's answers to the picture's labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from segpp_deploy.config import Size
from segpp_deploy.data.geometry.slide import cut, published_stride, windows
from segpp_deploy.data.images import ByteImage
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.tasks.segmentation.labels import SlideAccumulator, labels_from_output

Array = NDArray[Any]


@dataclass(frozen=True)
class Segmentation:
    """One picture's labels, uint8 [H, W] of the picture's own size, and the session's outputs they were made from.

    `outputs` holds one array without the batch axis (or one per window): labels [h, w] or logits [K, h/4, w/4].
    """

    labels: ByteImage
    outputs: tuple[Array, ...] = ()


class WholePicture:
    """The picture in one piece, resized."""

    count = 1

    def __init__(self, image: ByteImage, metadata: ExportMetadata) -> None:
        self._image = image
        self._metadata = metadata

    def inputs(self) -> Iterator[ByteImage]:
        """Yield the picture as it is; it is resized where it is prepared."""
        yield self._image

    def finish(self, outputs: Sequence[Array]) -> Segmentation:
        """Return the labels of the picture's size."""
        size = Size(*self._image.shape[:2])
        return Segmentation(labels_from_output(outputs[0], self._metadata.output_kind, size), tuple(outputs))


class SlidingWindows:
    """Windows of the model's size, each three quarters of a window from the last; their logits are averaged."""

    def __init__(self, image: ByteImage, metadata: ExportMetadata) -> None:
        self._image = image
        self._metadata = metadata
        self._size = Size(*image.shape[:2])
        self._boxes = windows(self._size, metadata.size, published_stride(metadata.size))

    @property
    def count(self) -> int:
        """How many windows cover the picture."""
        return len(self._boxes)

    def inputs(self) -> Iterator[ByteImage]:
        """Yield the windows, row by row."""
        for box in self._boxes:
            yield cut(self._image, box, self._metadata.size, self._metadata.normalization)

    def finish(self, outputs: Sequence[Array]) -> Segmentation:
        """Return the labels of the averaged logits."""
        accumulator = SlideAccumulator(self._size, len(self._metadata.classes), self._metadata.size)
        for box, output in zip(self._boxes, outputs, strict=True):
            accumulator.add(box, output)
        return Segmentation(accumulator.labels(), tuple(outputs))
