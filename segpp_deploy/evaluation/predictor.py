"""Pictures of any size through a session of any batch size, to predictions in the pictures' own geometry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import Inference, KeypointRelations, Size
from segpp_deploy.data.geometry.crop import Box
from segpp_deploy.data.geometry.whole import prepare
from segpp_deploy.data.images import ByteImage
from segpp_deploy.engine.open import open_session
from segpp_deploy.evaluation.input_sizes import nearest_size, require_one_model
from segpp_deploy.graph.metadata import ExportMetadata
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
        also: sessions of the same model for other input sizes; each picture goes to the one whose shape it has.

    Raises:
        SegppError: the session's output cannot be averaged as asked, or the sessions do not belong together.

    Example:
        `with Predictor.open(Path("fast.engine")) as predictor: labels = predictor.predict([image])[0].labels`
    """

    def __init__(
        self,
        session: Session,
        inference: Inference = Inference.WHOLE,
        keypoints: KeypointRelations | None = None,
        also: Sequence[Session] = (),
    ) -> None:
        self.inference = inference
        self._sessions = (session, *also)
        self._described = [one.metadata.with_keypoints(keypoints) for one in self._sessions]
        self.taken = Counter[int]()  # pictures by the place of the session that was given them
        require_one_model(self._described)
        self.task = cast("Task[P, Any]", TASKS[self.metadata.task])
        self.task.require_inference(inference, self.metadata)

    @classmethod
    def open(
        cls,
        engine: Path,
        inference: Inference = Inference.WHOLE,
        threads: int | None = None,
        keypoints: KeypointRelations | None = None,
        also: Sequence[Path] = (),
    ) -> Predictor[Any]:
        """Load an engine file, and others of the same model; close the predictor to give their memory back.

        Raises:
            SegppError: what `open_session` raises, or the engines cannot be used in this way.
        """
        with ExitStack() as opened:
            options = SessionOptions(threads)
            sessions = [opened.enter_context(closing(open_session(Path(one), options))) for one in (engine, *also)]
            predictor = cls(sessions[0], inference, keypoints, sessions[1:])
            opened.pop_all()
        return predictor

    @property
    def metadata(self) -> ExportMetadata:
        """What the model is; of several engines, the first one's."""
        return self._described[0]

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The input sizes of the engines."""
        return tuple(metadata.size for metadata in self._described)

    @property
    def batch(self) -> int:
        """Pictures that one call takes at most; 1 where engines leave it open."""
        return max(metadata.images_per_call for metadata in self._described)

    def predict(self, images: Sequence[ByteImage], boxes: Sequence[Box | None] | None = None) -> list[P]:
        """Predict for pictures, each uint8 [H, W, 3] RGB of any size.

        Args:
            images: the pictures.
            boxes: what of each the model is to look at, for tasks that look at boxes; None: all of it.
        """
        chosen = boxes or [None] * len(images)
        places = [nearest_size(self.sizes, Size(*image.shape[:2])) for image in images]
        views = [
            self.task.views(image, box, self.inference, self._described[place])
            for image, box, place in zip(images, chosen, places, strict=True)
        ]
        found: dict[int, P] = {}
        for place in sorted(set(places)):
            shown = [index for index, other in enumerate(places) if other == place]
            outputs = self._run(place, (view for index in shown for view in views[index].inputs()))
            found |= {index: views[index].finish(list(islice(outputs, views[index].count))) for index in shown}
            self.taken[place] += len(shown)
        return [found[index] for index in range(len(images))]

    def notes(self) -> tuple[str, ...]:
        """Say which engine took how many pictures, where there are several."""
        return describe_shares(self.sizes, self.taken)

    def close(self) -> None:
        """Close the sessions."""
        for session in self._sessions:
            session.close()

    def __enter__(self) -> Predictor[P]:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _run(self, place: int, images: Iterable[ByteImage]) -> Iterator[Array]:
        metadata, session = self._described[place], self._sessions[place]
        batch = metadata.images_per_call
        for chunk in chunks(images, batch):
            inputs = [prepare(image, metadata.size, metadata.input_kind, metadata.normalization) for image in chunk]
            inputs += inputs[-1:] * (batch - len(chunk))  # a fixed batch is always full; the surplus is dropped
            yield from session.run(np.stack(inputs))[: len(chunk)]


def describe_shares(sizes: Sequence[Size], taken: Mapping[int, int]) -> tuple[str, ...]:
    """Say which engine took how many pictures, where there are several.

    Example:
        >>> describe_shares([Size(64, 96), Size(96, 64)], {1: 5})
        ('Pictures by input size: 64x96 0, 96x64 5.',)
    """
    if len(sizes) == 1:
        return ()
    shares = ", ".join(f"{size} {taken.get(place, 0)}" for place, size in enumerate(sizes))
    return (f"Pictures by input size: {shares}.",)


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` items, the last one shorter where they run out.

    Example:
        >>> list(chunks("abcde", 2))
        [['a', 'b'], ['c', 'd'], ['e']]
    """
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
