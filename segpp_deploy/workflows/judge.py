"""How much accuracy a rewritten graph loses on held-out pictures, beside the float32 graph of the same mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from segpp_deploy.evaluate.agreement import PixelAgreement
from segpp_deploy.evaluate.segmentation import ConfusionMatrix, SegmentationResult
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.session.protocol import Session
from segpp_deploy.workflows.calibration_images import CalibrationImage, choose_images, spread
from segpp_deploy.workflows.progress import Progress
from segpp_deploy.workflows.segmenter import Segmenter, chunks

Labels = NDArray[Any]


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
        data: KIND:PATH[#SPLIT], scenes[:N], or a directory of pictures.
        count: pictures, spread evenly; all where there are fewer.
        metadata: of the export.
        reference: a session of the float32 graph.
        progress: told about each picture.

    Raises:
        SegppError: no such data, or it does not fit the model.
    """

    def __init__(self, data: str, count: int, metadata: ExportMetadata, reference: Session, progress: Progress) -> None:
        chosen = choose_images(data, count, metadata)
        self.data = data
        self.images = chosen.images
        self.has_labels = chosen.classes is not None
        self._classes = metadata.classes
        self._reference_labels: list[Labels] = []
        self.reference = self._run(reference, self.images, f"Float32 on {data}", progress, self._remember).scores

    def judge(self, session: Session, name: str, progress: Progress) -> Judgement:
        """Score a session on all pictures."""
        return self._run(session, self.images, f"{name} on {self.data}", progress)

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

    def _remember(self, labels: Labels) -> None:
        self._reference_labels.append(labels)

    def _run(
        self,
        session: Session,
        images: tuple[CalibrationImage, ...],
        step: str,
        progress: Progress,
        remember: Any = None,
    ) -> Judgement:
        matrix, agreement = ConfusionMatrix(len(self._classes)), PixelAgreement()
        segmenter, done = Segmenter(session), 0
        progress(step, 0, len(images))
        for some in chunks(images, segmenter.batch):
            loaded = [image.load() for image in some]
            for (_, target), found in zip(loaded, segmenter.segment([one for one, _ in loaded]), strict=True):
                if remember is not None:
                    remember(found.labels)
                reference = self._reference_labels[done]
                agreement.update(reference, found.labels)
                matrix.update(found.labels, reference if target is None else target)
                done += 1
            progress(step, done, len(images))
        return Judgement(matrix.result(self._classes), agreement.fraction())
