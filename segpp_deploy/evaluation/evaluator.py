"""A data set streamed once through a predictor, or through two: scores, and how far the two agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from segpp_deploy.data.datasets import Dataset, Example, Sample
from segpp_deploy.data.datasets.label_survey import LabelSurvey, survey_labels
from segpp_deploy.errors import SegppError, UnreadableFileError
from segpp_deploy.evaluation.failures import Failures
from segpp_deploy.evaluation.predictor import Predictor, chunks
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.tasks.protocol.evaluation import Evaluation, Score
from segpp_deploy.tasks.protocol.task import Agreement, Metric, Task

P = TypeVar("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Comparison:
    """Two models on the same samples.

    Args:
        evaluation: of the model that is judged.
        reference: of the other one.
        agreement: what their predictions have in common, the share that agrees first.
    """

    evaluation: Evaluation
    reference: Evaluation
    agreement: tuple[Score, ...]


@dataclass
class Judgement(Generic[P, T]):
    """What was counted on samples.

    Args:
        mine: of the model that is judged.
        theirs: of its reference, where there is one.
        agreement: of the two.
    """

    mine: Metric[P, T]
    theirs: Metric[P, T] | None
    agreement: Agreement[P] | None

    @classmethod
    def begin(cls, predictor: Predictor[P], reference: Predictor[P] | None, boundary_px: int = 0) -> Judgement[P, T]:
        """Return one of no samples."""
        task, classes = predictor.task, predictor.metadata.classes
        mine = task.metric(classes, boundary_px)
        if reference is None:
            return cls(mine, None, None)
        return cls(mine, task.metric(classes, boundary_px), task.agreement(reference.metadata, predictor.metadata))

    def update(self, ours: P, other: P | None, target: T) -> None:
        """Add one sample: the two predictions, and what is true."""
        self.mine.update(ours, target)
        if self.theirs is not None and self.agreement is not None and other is not None:
            self.theirs.update(other, target)
            self.agreement.update(other, ours)

    def merge(self, other: Judgement[P, T]) -> None:
        """Add what was counted on other samples; for tasks that `require_parts` allows."""
        pairs: list[tuple[Any, Any]] = [(self.mine, other.mine)]
        if self.theirs is not None:
            pairs += [(self.theirs, other.theirs), (self.agreement, other.agreement)]
        for counts, more in pairs:
            counts.merge(more)


KEPT_BYTES = 512 << 20
"""Loaded samples of so many bytes stay in memory while many predictors are compared with one reference."""


class _Samples(Generic[T]):
    """Loads samples, and keeps those that have room."""

    def __init__(self, num_outputs: int, most_bytes: int = 0) -> None:
        self._num_outputs = num_outputs
        self._room = most_bytes
        self._kept: dict[str, Example[T]] = {}

    def load(self, sample: Sample[T]) -> Example[T]:
        """Return a loaded sample."""
        return self._kept.get(sample.name) or self._load(sample)

    def _load(self, sample: Sample[T]) -> Example[T]:
        example = sample.load(self._num_outputs)
        size = example.image.nbytes + int(getattr(example.target, "nbytes", 0))
        if size <= self._room:
            self._room -= size
            self._kept[sample.name] = example
        return example


Watch = Callable[[Example[T], P, T, P | None], None]
"""Takes a sample, the prediction for it, what is true, and a reference's prediction where there is one."""


class Evaluator(Generic[P, T]):
    """Judges predictors on a data set.

    Args:
        dataset: the samples; a batch of them is in memory at a time, or `KEPT_BYTES` where a reference is kept.
        progress: told about each batch.
        failures: takes samples of which a file cannot be read; None: there may be none.
        boundary_px: of segmentation, judge besides what lies so near to the edges of regions; 0: do not.
        kept_bytes: loaded samples of so many bytes stay in memory from one evaluation to the next.
    """

    watch: Watch[T, P] | None = None
    """Told about each sample that `evaluate` and `compare` judge."""

    def __init__(
        self,
        dataset: Dataset[T],
        progress: Progress = no_progress,
        failures: Failures | None = None,
        boundary_px: int = 0,
        kept_bytes: int = 0,
    ) -> None:
        self.dataset = dataset
        self._progress = progress
        self._boundary_px = boundary_px
        self._kept_bytes = kept_bytes
        self._kept: _Samples[T] | None = None
        self._failures = Failures(allowed=0) if failures is None else failures
        self._surveyed: dict[int, LabelSurvey] = {}

    def survey(self, metadata: ExportMetadata) -> None:
        """Look at label values before they are believed; whatever scores the samples asks for it, and it is done once.

        What it finds is part of the evaluations.

        Raises:
            SegppError: the labels cannot be of the model's classes, or there are none.
        """
        num_classes = len(metadata.classes)
        if num_classes not in self._surveyed:
            self._surveyed[num_classes] = survey_labels(
                self.dataset, num_classes, trained_reduced=bool(metadata.training.reduce_labels)
            )

    def evaluate(self, predictor: Predictor[P], step: str = "") -> Evaluation:
        """Score a predictor.

        Raises:
            SegppError: more samples cannot be read than may, one has no target, or labels do not fit the model.
        """
        self.survey(predictor.metadata)
        return self.finish(self.judge(predictor, None, step))

    def compare(self, predictor: Predictor[P], reference: Predictor[P], step: str = "") -> Comparison:
        """Score a predictor and a reference in one pass, and say how far they agree.

        Raises:
            SegppError: as `evaluate`.
        """
        self.survey(predictor.metadata)
        return self.finish_comparison(self.judge(predictor, reference, step))

    def judge(self, predictor: Predictor[P], reference: Predictor[P] | None, step: str = "") -> Judgement[P, T]:
        """Count what a predictor does on the samples, beside a reference where there is one; nothing is surveyed.

        Raises:
            SegppError: as `evaluate`.
        """
        judgement: Judgement[P, T] = Judgement.begin(predictor, reference, self._boundary_px)
        for examples, found in self._run(predictor, step, self._samples(predictor)):
            expected = [None] * len(examples) if reference is None else reference.predict(*_pictures(examples))
            for example, ours, other in zip(examples, found, expected, strict=True):
                target = self._require_target(example)
                judgement.update(ours, other, target)
                self._tell(example, ours, target, other)
        return judgement

    def finish(self, judgement: Judgement[P, T]) -> Evaluation:
        """Return the scores of a judgement on all samples, with what the survey said.

        Raises:
            SegppError: no sample could be read, or there is nothing in them that counts.
        """
        return self._finish(judgement.mine)

    def finish_comparison(self, judgement: Judgement[P, T]) -> Comparison:
        """Return the scores of a judgement beside a reference; raises what `finish` raises."""
        if judgement.theirs is None or judgement.agreement is None:
            raise ValueError("judged without a reference")
        return Comparison(self.finish(judgement), judgement.theirs.evaluate(), judgement.agreement.scores())

    def keep(self, reference: Predictor[P], step: str = "") -> KeptReference[P, T]:
        """Let a reference predict once for all samples, to compare many predictors with it.

        Samples without a target are judged by what the reference says about them: its own headline is perfect there,
        and another's says how far it departs.

        Raises:
            SegppError: a sample cannot be read, or there is nothing in the data set that counts.
        """
        self.survey(reference.metadata)
        metric = reference.task.metric(reference.metadata.classes)
        kept: list[P] = []
        samples: _Samples[T] = _Samples(len(reference.metadata.classes), KEPT_BYTES)
        for examples, found in self._run(reference, step, samples):
            for example, prediction in zip(examples, found, strict=True):
                target = example.target
                metric.update(
                    prediction, reference.task.as_target(prediction, example.box) if target is None else target
                )
                kept.append(reference.task.without_outputs(prediction))
        return KeptReference(self, reference.task, reference.metadata, samples, kept, self._finish(metric))

    def first(self, count: int) -> Evaluator[P, T]:
        """Return the evaluator of the first `count` samples, for which the whole data set's survey stands."""
        part = Evaluator[P, T](self.dataset.first(count), self._progress, self._failures)
        part._surveyed = self._surveyed
        return part

    def _samples(self, predictor: Predictor[P]) -> _Samples[T]:
        """Return what loads the samples; it stays where it may keep some."""
        if self._kept is None or not self._kept_bytes:
            self._kept = _Samples(len(predictor.metadata.classes), self._kept_bytes)
        return self._kept

    def _run(
        self, predictor: Predictor[P], step: str, loaded: _Samples[T]
    ) -> Iterator[tuple[list[Example[T]], list[P]]]:
        """Yield a batch of samples with what was predicted for them."""
        name, total, done = step or f"Evaluating on {self.dataset.name}", len(self.dataset), 0
        self._progress(name, 0, total)
        for examples in chunks(self._load_readable(loaded), predictor.batch):
            yield examples, predictor.predict(*_pictures(examples))
            done += len(examples)
            self._progress(name, done + len(self._failures), total)

    def _load_readable(self, loaded: _Samples[T]) -> Iterator[Example[T]]:
        for sample in self.dataset:
            try:
                yield loaded.load(sample)
            except UnreadableFileError as error:
                self._failures.add(sample.name, error)

    def _finish(self, metric: Metric[P, T]) -> Evaluation:
        """Return the scores, with what the survey said; refuse scores of nothing: no readable file, no class."""
        if len(self._failures) == len(self.dataset):
            self._failures.raise_any(len(self.dataset))
        evaluation = metric.evaluate()
        if not evaluation.headline.is_number:
            raise SegppError(
                f"Nothing in {self.dataset.name} has a label of a class: there is no {evaluation.headline.name}.",
                "pictures whose labels name classes of the model, or a directory of pictures without labels.",
                "Choose other pictures.",
            )
        warnings = list(evaluation.warnings)
        for survey in self._surveyed.values():
            warnings += [*survey.warnings, *(survey.if_poor if evaluation.warnings else ())]
        notes = (*self.dataset.notes, *evaluation.notes)
        return replace(evaluation, notes=notes, warnings=tuple(warnings))

    def _tell(self, example: Example[T], prediction: P, target: T, other: P | None) -> None:
        if self.watch is not None:
            self.watch(example, prediction, target, other)

    def _require_target(self, example: Example[T]) -> T:
        if example.target is None:
            raise SegppError(
                f"{self.dataset.name} has pictures without labels.", "a label for each.", "Choose another data set."
            )
        return example.target


class KeptReference(Generic[P, T]):
    """A reference's predictions for a whole data set; made by `Evaluator.keep`."""

    def __init__(
        self,
        evaluator: Evaluator[P, T],
        task: Task[P, T],
        metadata: ExportMetadata,
        samples: _Samples[T],
        predictions: Sequence[P],
        evaluation: Evaluation,
    ) -> None:
        self.dataset = evaluator.dataset
        self.evaluation = evaluation
        self._evaluator = evaluator
        self._task = task
        self._metadata = metadata
        self._samples = samples
        self._predictions = predictions

    def compare(self, predictor: Predictor[P], step: str = "") -> Comparison:
        """Score a predictor on all samples and say how far it agrees with the reference."""
        metric, agreement = self._task.metric(self._metadata.classes), self._agreement(predictor)
        references = iter(self._predictions)
        for examples, found in self._evaluator._run(predictor, step, self._samples):
            for example, prediction in zip(examples, found, strict=True):
                reference, target = next(references), example.target
                agreement.update(reference, prediction)
                metric.update(prediction, self._task.as_target(reference, example.box) if target is None else target)
        return Comparison(metric.evaluate(), self.evaluation, agreement.scores())

    def first(self, count: int) -> KeptReference[P, T]:
        """Return the reference of the first `count` samples; nothing is predicted again, and they may lack labels."""
        evaluator, predictions = self._evaluator.first(count), self._predictions[:count]
        metric = self._task.metric(self._metadata.classes)
        for sample, prediction in zip(evaluator.dataset, predictions, strict=True):
            example = self._samples.load(sample)
            target = example.target
            metric.update(prediction, self._task.as_target(prediction, example.box) if target is None else target)
        return KeptReference(evaluator, self._task, self._metadata, self._samples, predictions, metric.evaluate())

    def agreement(self, predictor: Predictor[P], count: int) -> Score:
        """Return the share on which a predictor agrees with the reference, on `count` samples spread evenly."""
        kept = {sample.name: prediction for sample, prediction in zip(self.dataset, self._predictions, strict=True)}
        agreement = self._agreement(predictor)
        for samples in chunks(self.dataset.spread(count), predictor.batch):
            found = predictor.predict(*_pictures([self._samples.load(sample) for sample in samples]))
            for sample, prediction in zip(samples, found, strict=True):
                agreement.update(kept[sample.name], prediction)
        return agreement.scores()[0]

    def _agreement(self, predictor: Predictor[P]) -> Agreement[P]:
        return self._task.agreement(self._metadata, predictor.metadata)


def _pictures(examples: Sequence[Example[Any]]) -> tuple[list[Any], list[Any]]:
    return [example.image for example in examples], [example.box for example in examples]
