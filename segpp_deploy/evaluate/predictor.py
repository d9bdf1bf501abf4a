"""Pictures of any size through a session of any batch size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import Inference, OutputKind, Size
from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.processing import labels_from_output, prepare
from segpp_deploy.data.sliding import SlideAccumulator, Window, cut, require_logits, windows
from segpp_deploy.errors import SegppError
from segpp_deploy.runtimes.session import Session

Array = NDArray[Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Segmentation:
    """One picture's labels, uint8 [H, W] of the picture's own size, and the session's outputs they were made from.

    `outputs` holds one array without the batch axis (or one per window): labels [h, w] or logits [K, h/4, w/4].
    """

    labels: ByteImage
    outputs: tuple[Array, ...]


class Segmenter:
    """Segments pictures with a session.

    Args:
        session: of a segmentation model.
        inference: WHOLE resizes the picture to the session's size; SLIDE averages the logits of windows of that
            size, each three quarters of a window from the last, as the published Cityscapes evaluation does.

    Raises:
        SegppError: a pose model, or SLIDE with a session that gives labels.
    """

    def __init__(self, session: Session, inference: Inference = Inference.WHOLE) -> None:
        self.session = session
        self.inference = inference
        output_kind = session.metadata.output_kind
        if output_kind is OutputKind.HEATMAPS:
            raise SegppError(
                "This engine holds a pose model.",
                "a segmentation engine.",
                "segpp-deploy export --task seg ..., then build-engine",
            )
        if inference is Inference.SLIDE:
            require_logits(output_kind)

    @property
    def batch(self) -> int:
        """Pictures that one call of the session takes; 1 where the engine leaves it open."""
        return self.session.metadata.batch or 1

    def segment(self, images: Sequence[ByteImage]) -> list[Segmentation]:
        """Segment pictures, each uint8 [H, W, 3] RGB of any size."""
        if self.inference is Inference.SLIDE:
            return [self._slide(image) for image in images]
        outputs = self._run(images)
        return [self._finish(image, output) for image, output in zip(images, outputs, strict=True)]

    def _finish(self, image: ByteImage, output: Array) -> Segmentation:
        size = Size(*image.shape[:2])
        return Segmentation(labels_from_output(output, self.session.metadata.output_kind, size), (output,))

    def _slide(self, image: ByteImage) -> Segmentation:
        metadata = self.session.metadata
        size = Size(*image.shape[:2])
        boxes = windows(size, metadata.size, _slide_stride(metadata.size))
        accumulator = SlideAccumulator(size, len(metadata.classes), metadata.size)
        outputs = tuple(self._run(self._pieces(image, boxes)))
        for box, output in zip(boxes, outputs, strict=True):
            accumulator.add(box, output)
        return Segmentation(accumulator.labels(), outputs)

    def _pieces(self, image: ByteImage, boxes: Iterable[Window]) -> Iterator[ByteImage]:
        metadata = self.session.metadata
        return (cut(image, box, metadata.size, metadata.normalization) for box in boxes)

    def _run(self, images: Iterable[ByteImage]) -> Iterator[Array]:
        metadata = self.session.metadata
        for chunk in chunks(images, self.batch):
            inputs = [prepare(image, metadata.size, metadata.input_kind, metadata.normalization) for image in chunk]
            inputs += inputs[-1:] * (self.batch - len(chunk))  # a fixed batch is always full; the surplus is dropped
            yield from self.session.run(np.stack(inputs))[: len(chunk)]


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` items, the last one shorter where they run out.

    Example:
        >>> list(chunks("abcde", 2))
        [['a', 'b'], ['c', 'd'], ['e']]
    """
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _slide_stride(window: Size) -> Size:
    return Size(max(1, window.height * 3 // 4), max(1, window.width * 3 // 4))
