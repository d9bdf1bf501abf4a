"""How much accuracy a rewritten graph loses on held-out pictures, beside the float32 graph of the same mode."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from segpp_deploy.data.images import ByteImage
from segpp_deploy.data.selection import CalibrationSet, Labels, spread
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluate.agreement import PixelAgreement
from segpp_deploy.evaluate.predictor import Segmenter, chunks
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.session import Session
from segpp_deploy.tasks.segmentation.confusion import ConfusionMatrix, SegmentationResult


@dataclass(frozen=True)
class Judgement:
    """One graph on the held-out pictures; `agreement` is the fraction of pixels labelled as by the float32 graph."""

    scores: SegmentationResult
    agreement: float


class Judge:
    """Holds the pictures and what the float32 graph says about them.

    Pictures without labels are judged against the float32 graph's labels: its own mIoU is then 1, and the loss is how
    far the other graph departs from it.

    Args:
        data: the pictures, as the user named them.
        chosen: the pictures.
        reference: a session of the float32 graph.
        progress: told about each picture.

    Raises:
        SegppError: a picture cannot be read, or its labels do not fit the model; no pixel has a label.
    """

    def __init__(self, data: str, chosen: CalibrationSet, reference: Session, progress: Progress) -> None:
        self.data = data
        self.images = chosen.images
        self._classes = reference.metadata.classes
        self._reference_labels: list[ByteImage] = []
        self.reference = self._judge_reference(reference, progress)

    def judge(self, session: Session, name: str, progress: Progress) -> Judgement:
        """Score a session on all pictures."""
        matrix, agreement = ConfusionMatrix(len(self._classes)), PixelAgreement()
        step = f"{name} on {self.data}"
        for reference, (found, target) in zip(self._reference_labels, self._run(session, step, progress), strict=True):
            agreement.update(reference, found)
            matrix.update(found, reference if target is None else target)
        return Judgement(matrix.result(self._classes), agreement.fraction())

    def disagreement(self, session: Session, count: int) -> float:
        """Return the fraction of pixels that differ from the float32 labels, on `count` of the pictures."""
        indices = spread(range(len(self.images)), count)
        agreement = PixelAgreement()
        segmenter = Segmenter(session)
        for some in chunks(indices, segmenter.batch):
            pictures = [self.images[index].load()[0] for index in some]
            for index, found in zip(some, segmenter.segment(pictures), strict=True):
                agreement.update(self._reference_labels[index], found.labels)
        return 1 - agreement.fraction()

    def _judge_reference(self, reference: Session, progress: Progress) -> SegmentationResult:
        matrix = ConfusionMatrix(len(self._classes))
        for found, target in self._run(reference, f"Float32 on {self.data}", progress):
            self._reference_labels.append(found)
            matrix.update(found, found if target is None else target)
        scores = matrix.result(self._classes)
        if math.isnan(scores.miou):
            raise SegppError(
                f"No pixel of {self.data} has a label of a class.",
                "pictures whose labels name classes of the model, or a directory of pictures without labels.",
                "Choose another --gate-data.",
            )
        return scores

    def _run(self, session: Session, step: str, progress: Progress) -> Iterator[tuple[ByteImage, Labels]]:
        """Yield the labels that were found in each picture, and its own, if it has any."""
        segmenter, done = Segmenter(session), 0
        progress(step, 0, len(self.images))
        for some in chunks(self.images, segmenter.batch):
            loaded = [image.load() for image in some]
            found = segmenter.segment([picture for picture, _ in loaded])
            yield from ((one.labels, target) for one, (_, target) in zip(found, loaded, strict=True))
            done += len(some)
            progress(step, done, len(self.images))
