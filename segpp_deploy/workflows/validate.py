"""How accurate an engine is on labelled pictures, and how closely it follows its reference."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.config import Choice, ClassTable, Inference, OutputKind
from segpp_deploy.data.datasets import SegmentationDataset, parse_dataset, require_class_count
from segpp_deploy.engine.open import open_session
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluate.agreement import LogitAgreement, PixelAgreement
from segpp_deploy.evaluate.predictor import Segmentation, Segmenter, chunks
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.report.numbers import format_agreement, format_percent
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.runtimes.session import Session
from segpp_deploy.tasks.segmentation.confusion import ConfusionMatrix, SegmentationResult


class Against(Choice):
    """What an engine is compared with, other than another engine."""

    TORCH = "torch"
    NONE = "none"


def parse_against(text: str) -> Against | Path:
    """Return the member called `text`, or the path of another engine.

    Example:
        >>> parse_against("torch")
        <Against.TORCH: 'torch'>
    """
    return Against(text) if text in list(Against) else Path(text)


@dataclass(frozen=True)
class ValidateOptions:
    """What to validate.

    Args:
        engine: the file to judge.
        data: KIND:PATH.
        limit: use the first so many samples; None for all.
        inference: whole pictures, or windows (needs an engine that gives logits).
        against: the fp32 PyTorch model of the same mode, nothing, or another engine.
        checkpoint: the weights of the PyTorch model, where the engine's record of them no longer holds.
    """

    engine: Path
    data: str
    limit: int | None = None
    inference: Inference = Inference.WHOLE
    against: Against | Path = Against.TORCH
    checkpoint: Path | None = None


@dataclass(frozen=True)
class ReferenceComparison:
    """The engine beside its reference on the same pictures.

    Args:
        name: "torch", or the other engine's path.
        miou: the reference's own.
        pixel_agreement: fraction of all pixels, at the labels' resolution, with the same class from both.
        max_abs_logit_error: None where one of the two gives labels only, or their sizes differ.
    """

    name: str
    miou: float
    pixel_agreement: float
    max_abs_logit_error: float | None


@dataclass(frozen=True)
class ValidationResult:
    """What `run_validate` found; fractions in 0 .. 1."""

    engine: Path
    mode: str
    data: str
    segmentation: SegmentationResult
    reference: ReferenceComparison | None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `validate --json`."""
        found = self.segmentation
        return {
            "engine": str(self.engine),
            "mode": self.mode,
            "data": self.data,
            "images": found.images,
            "miou": found.miou,
            "pixel_accuracy": found.pixel_accuracy,
            "per_class_iou": found.per_class_iou,
            "reference": asdict(self.reference) if self.reference else None,
        }

    def tables(self) -> tuple[Table, ...]:
        """Return the figures as tables: a summary, and the IoU of each class."""
        found = self.segmentation
        summary = [
            ("images", str(found.images)),
            ("mIoU", format_percent(found.miou)),
            ("pixel accuracy", format_percent(found.pixel_accuracy)),
        ]
        if self.reference:
            error = self.reference.max_abs_logit_error
            summary += [
                (f"mIoU of {self.reference.name}", format_percent(self.reference.miou)),
                (f"pixels as {self.reference.name}", format_agreement(self.reference.pixel_agreement)),
                ("largest logit error", "not compared" if error is None else f"{error:.2e}"),
            ]
        per_class = tuple((name, format_percent(iou)) for name, iou in found.per_class_iou.items())
        title = f"{self.engine} ({self.mode}) on {self.data}"
        return (
            Table(title, (Column("measure", False), Column("value")), tuple(summary)),
            Table("", (Column("class", False), Column("IoU")), per_class),
        )


def run_validate(options: ValidateOptions, progress: Progress = no_progress) -> ValidationResult:
    """Run an engine, and its reference, over a data set.

    Raises:
        SegppError: the engine, its reference or the data cannot be used, or do not fit together.
    """
    dataset = parse_dataset(options.data, options.limit)
    with ExitStack() as opened:
        session = opened.enter_context(closing(open_session(options.engine)))
        segmenter = Segmenter(session, options.inference)
        require_class_count(dataset, len(session.metadata.classes))
        reference = _open_reference(options, session)
        if reference is None:
            judge = _Judge(session.metadata.classes, segmenter, None)
        else:
            opened.enter_context(closing(reference))
            judge = _Judge(session.metadata.classes, segmenter, Segmenter(reference, options.inference))
        judge.judge(dataset, progress)
        return ValidationResult(
            engine=options.engine,
            mode=session.metadata.mode,
            data=dataset.name,
            segmentation=judge.scores.result(session.metadata.classes),
            reference=judge.comparison(str(options.against)) if reference else None,
        )


def _open_reference(options: ValidateOptions, session: Session) -> Session | None:
    if options.against is Against.NONE:
        return None
    if options.against is Against.TORCH:
        from segpp_deploy.runtimes.torch.reference import open_reference  # PyTorch is slow to load

        return open_reference(session.metadata, options.checkpoint, options.engine)
    reference = open_session(Path(options.against))
    expected, got = len(session.metadata.classes), len(reference.metadata.classes)
    if got != expected:
        reference.close()
        raise SegppError(
            f"{options.engine} has {expected} classes, {options.against} has {got}.",
            "two engines of the same task.",
            "Choose another engine after --against.",
        )
    return reference


class _Judge:
    """Accumulates what engine and reference say about the same pictures."""

    def __init__(self, classes: ClassTable, engine: Segmenter, reference: Segmenter | None) -> None:
        self.scores = ConfusionMatrix(len(classes))
        self._reference_scores = ConfusionMatrix(len(classes))
        self._agreement = PixelAgreement()
        self._logits = LogitAgreement()
        self._engine = engine
        self._reference = reference
        self._num_classes = len(classes)

    def judge(self, dataset: SegmentationDataset, progress: Progress) -> None:
        """Take in a whole data set, a batch of the engine at a time."""
        step, done = f"Validating on {dataset.name}", 0
        progress(step, 0, len(dataset))
        for samples in chunks(dataset, self._engine.batch):
            images, targets = zip(*(sample.load(self._num_classes) for sample in samples), strict=True)
            found = self._engine.segment(images)
            for segmentation, target in zip(found, targets, strict=True):
                self.scores.update(segmentation.labels, target)
            if self._reference is not None:
                for mine, theirs, target in zip(found, self._reference.segment(images), targets, strict=True):
                    self._compare(mine, theirs, target)
            done += len(samples)
            progress(step, done, len(dataset))

    def _compare(self, mine: Segmentation, theirs: Segmentation, target: Any) -> None:
        self._reference_scores.update(theirs.labels, target)
        self._agreement.update(theirs.labels, mine.labels)
        if self._compares_logits():
            for reference, ours in zip(theirs.outputs, mine.outputs, strict=True):
                self._logits.update(reference, ours)

    def _compares_logits(self) -> bool:
        if self._reference is None:
            return False
        mine, theirs = self._engine.session.metadata, self._reference.session.metadata
        same_grid = (mine.size, mine.output_stride) == (theirs.size, theirs.output_stride)
        return same_grid and mine.output_kind is theirs.output_kind is OutputKind.LOGITS

    def comparison(self, name: str) -> ReferenceComparison:
        """Return the comparison over everything taken in."""
        error = self._logits.result().max_abs_error if self._compares_logits() else None
        return ReferenceComparison(
            name=name,
            miou=self._reference_scores.miou(),
            pixel_agreement=self._agreement.fraction(),
            max_abs_logit_error=error,
        )
