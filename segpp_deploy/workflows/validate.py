"""How accurate an engine is on labelled pictures, and how closely it follows its reference."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segpp_deploy import commands
from segpp_deploy.config import MAX_FAILURES, Choice, Inference, KeypointRelations
from segpp_deploy.data.datasets import AnyDataset, require_class_count, require_task
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.findings import collect_findings
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.evaluator import Evaluator
from segpp_deploy.evaluation.failures import Failures
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.report.numbers import format_agreement, format_percent, format_score
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.tasks.protocol.evaluation import Evaluation, Score


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
        data: KIND:PATH, or a data set.
        limit: use the first so many samples; None for all.
        boxes: a file with a detector's boxes, for data sets of persons; None for the annotated ones.
        inference: whole pictures or persons, windows (needs an engine that gives logits), or persons and their mirror
            images (needs heatmaps).
        against: the fp32 PyTorch model of the same mode, nothing, or another engine.
        checkpoint: the weights of the PyTorch model, where the engine's record of them no longer holds.
        max_failures: go on without pictures or labels that cannot be read until there are more of them.

    Raises:
        SegppError: a negative number of failures.
    """

    engine: Path
    data: str | AnyDataset
    limit: int | None = None
    boxes: Path | None = None
    inference: Inference = Inference.WHOLE
    against: Against | Path = Against.TORCH
    checkpoint: Path | None = None
    max_failures: int = MAX_FAILURES

    def __post_init__(self) -> None:
        if self.max_failures < 0:
            raise SegppError(
                f"--max-failures {self.max_failures} is no number of pictures.",
                "0 or more.",
                commands.option("max-failures", MAX_FAILURES),
            )


@dataclass(frozen=True)
class ReferenceComparison:
    """The engine beside its reference on the same pictures.

    Args:
        name: "torch", or the other engine's path.
        headline: the reference's own score.
        agreement: what both say alike, such as the fraction of pixels with the same class, then further measures.
    """

    name: str
    headline: Score
    agreement: tuple[Score, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: each score by its key."""
        scores = (self.headline, *self.agreement)
        return {"name": self.name, **{score.key: score.value for score in scores}}

    def rows(self) -> list[tuple[str, str]]:
        """Return lines for the table of figures."""
        share, *further = self.agreement
        return [
            (f"{self.headline.name} of {self.name}", format_score(self.headline)),
            (f"{share.name} with {self.name}", format_agreement(share.value)),
            *((score.name, format_score(score)) for score in further),
        ]


@dataclass(frozen=True)
class ValidateResult:
    """What `run_validate` found."""

    engine: Path
    mode: str
    data: str
    evaluation: Evaluation
    reference: ReferenceComparison | None
    findings: tuple[str, ...] = ()
    failures: Failures = field(default_factory=Failures)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the scores leave out, what was found on the way, and what speaks against believing the scores."""
        warnings = (f"Warning: {warning}" for warning in self.evaluation.warnings)
        return (*self.evaluation.notes, *self.findings, *warnings)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `validate --json`."""
        return {
            "engine": str(self.engine),
            "mode": self.mode,
            "data": self.data,
            **self.evaluation.to_dict(),
            "reference": self.reference.to_dict() if self.reference else None,
            "failures": self.failures.to_list(),
            "notes": [*self.evaluation.notes, *self.findings],
            "warnings": list(self.evaluation.warnings),
        }

    def tables(self) -> tuple[Table, ...]:
        """Return the figures as tables: a summary, and the headline's parts by class."""
        found, asked = self.evaluation, self.evaluation.samples + len(self.failures)
        images = f"{found.samples} of {asked}" if self.failures else str(found.samples)
        summary = [("images", images), *((score.name, format_score(score)) for score in found.scores)]
        if self.reference:
            summary += self.reference.rows()
        per_class = tuple((name, format_percent(value)) for name, value in found.per_class.values.items())
        title = f"{self.engine} ({self.mode}) on {self.data}"
        return (
            Table(title, (Column("measure", False), Column("value")), tuple(summary)),
            Table("", (Column("class", False), Column(found.per_class.name)), per_class),
        )

    def summary(self) -> str:
        """Return nothing: the tables say it all."""
        return ""

    def require_complete(self) -> None:
        """Check that the scores are of all the pictures.

        Raises:
            SegppError: some could not be read.
        """
        self.failures.raise_any(self.evaluation.samples + len(self.failures))


def run_validate(options: ValidateOptions, progress: Progress = no_progress) -> ValidateResult:
    """Run an engine, and its reference, over a data set.

    Raises:
        SegppError: the engine, its reference or the data cannot be used, or do not fit together; more files cannot be
            read than may, or none can.
    """
    with collect_findings() as findings, ExitStack() as opened:
        dataset = _open_dataset(options)
        failures = Failures(options.max_failures, commands.option("max-failures", "N"))
        evaluator = Evaluator[Any, Any](dataset, progress, failures)
        step = f"Validating on {dataset.name}"
        keypoints = dataset.keypoints
        predictor = opened.enter_context(Predictor.open(options.engine, options.inference, keypoints=keypoints))
        metadata = predictor.metadata
        require_task(dataset, metadata.task)
        require_class_count(dataset, len(metadata.classes))
        evaluator.survey(metadata)  # before the reference is loaded, which takes its time
        reference = _open_reference(options, metadata, keypoints)
        comparison = None
        if reference is None:
            evaluation = evaluator.evaluate(predictor, step)
        else:
            opened.enter_context(reference)
            found = evaluator.compare(predictor, reference, step)
            evaluation = found.evaluation
            comparison = ReferenceComparison(str(options.against), found.reference.headline, found.agreement)
        notes = (*predictor.task.conditions(options.inference), *findings.notes())
        return ValidateResult(options.engine, metadata.mode, dataset.name, evaluation, comparison, notes, failures)


def _open_dataset(options: ValidateOptions) -> AnyDataset:
    if isinstance(options.data, str):
        return parse_dataset(options.data, options.limit, boxes=options.boxes)
    return options.data.first(options.limit)


def _open_reference(
    options: ValidateOptions, metadata: ExportMetadata, keypoints: KeypointRelations | None
) -> Predictor[Any] | None:
    if options.against is Against.NONE:
        return None
    if options.against is Against.TORCH:
        from segpp_deploy.runtimes.torch.reference import open_reference  # PyTorch is slow to load

        session = open_reference(metadata, options.checkpoint, options.engine)
        return Predictor(session, options.inference, keypoints)
    reference = Predictor.open(Path(options.against), options.inference, keypoints=keypoints)
    expected, got = len(metadata.classes), len(reference.metadata.classes)
    if got != expected or reference.metadata.task is not metadata.task:
        reference.close()
        raise SegppError(
            f"{options.engine} has {expected} classes, {options.against} has {got}.",
            "two engines of the same task.",
            "Choose another engine after " + commands.option("against") + ".",
        )
    return reference
