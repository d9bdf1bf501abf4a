"""Pictures of any size through a session of any batch size, to predictions in the pictures' own geometry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import Inference, KeypointRelations
from segpp_deploy.data.geometry.crop import Box
from segpp_deploy.data.geometry.whole import prepare
from segpp_deploy.data.images import ByteImage
from segpp_deploy.engine.open import open_session
from segpp_deploy.runtimes.session import Session, SessionOptions
from segpp_deploy.tasks.protocol.task import Task
from segpp_deploy.tasks.registry import TASKS

Array = NDArray[Any]
P = TypeVar("P")
T = TypeVar("T")


class Predictor(Generic[P]):
    """Predicts for pictures with a session; what, its task says (`Segmentation`, `Pose`).

    Args:
        session: an open session; it is closed with the predictor.
        inference: WHOLE resizes the picture to the session's size; SLIDE averages the logits of windows of that
            size, each three quarters of a window from the last, as the published Cityscapes evaluation does; FLIP
            averages the heatmaps of a person and the mirror image.
        keypoints: what a data set says of the keypoints; it stands where the model's own metadata says nothing.

    Raises:
        SegppError: the session's output cannot be averaged as asked.

    Example:
        `with Predictor.open(Path("fast.engine")) as predictor: labels = predictor.predict([image])[0].labels`
    """

    def __init__(
        self, session: Session, inference: Inference = Inference.WHOLE, keypoints: KeypointRelations | None = None
    ) -> None:
        self.session = session
        self.inference = inference
        self.metadata = session.metadata.with_keypoints(keypoints)
        self.task = cast("Task[P, Any]", TASKS[self.metadata.task])
        self.task.require_inference(inference, self.metadata)

    @classmethod
    def open(
        cls,
        engine: Path,
        inference: Inference = Inference.WHOLE,
        threads: int | None = None,
        keypoints: KeypointRelations | None = None,
    ) -> Predictor[Any]:
        """Load an engine file; close the predictor to give its memory back, best with `with`.

        Raises:
            SegppError: what `open_session` raises, or the engine cannot be used in this way.
        """
        session = open_session(Path(engine), SessionOptions(threads))
        try:
            return cls(session, inference, keypoints)
        except BaseException:
            session.close()
            raise

    @property
    def batch(self) -> int:
        """Pictures that one call of the session takes; 1 where the engine leaves it open."""
        return self.metadata.images_per_call

    def predict(self, images: Sequence[ByteImage], boxes: Sequence[Box | None] | None = None) -> list[P]:
        """Predict for pictures, each uint8 [H, W, 3] RGB of any size.

        Args:
            images: the pictures.
            boxes: what of each the model is to look at, for tasks that look at boxes; None: all of it.
        """
        chosen = boxes or [None] * len(images)
        views = [
            self.task.views(image, box, self.inference, self.metadata)
            for image, box in zip(images, chosen, strict=True)
        ]
        outputs = self._run(shown for view in views for shown in view.inputs())
        return [view.finish(list(islice(outputs, view.count))) for view in views]

    def close(self) -> None:
        """Close the session."""
        self.session.close()

    def __enter__(self) -> Predictor[P]:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _run(self, images: Iterable[ByteImage]) -> Iterator[Array]:
        metadata = self.metadata
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
