"""Samples judged: what is checked before, and what is known after, whoever does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from segpp_deploy.config import Size
from segpp_deploy.data.datasets import require_class_count, require_task
from segpp_deploy.evaluation.evaluator import Evaluator, Judgement
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.tasks.protocol.task import AnyTask
from segpp_deploy.workflows.validate.options import ValidateOptions
from segpp_deploy.workflows.validate.records import SampleRecords, require_records
from segpp_deploy.workflows.validate.reference import open_reference


class Model(Protocol):
    """What is known of the model that is judged: a predictor, or engines on their way to workers."""

    @property
    def task(self) -> AnyTask:
        """What it does."""

    @property
    def metadata(self) -> ExportMetadata:
        """What it is."""

    @property
    def sizes(self) -> Sequence[Size]:
        """The input sizes of its engines."""


@dataclass(frozen=True)
class Judged:
    """What was found.

    Args:
        model: that was judged.
        judgement: what was counted.
        records: of single samples, still to be written.
        taken: pictures by the place of the engine that was given them.
        predictor: where the engine is here.
    """

    model: Model
    judgement: Judgement[Any, Any]
    records: SampleRecords
    taken: Counter[int]
    predictor: Predictor[Any] | None = None


def judge_here(options: ValidateOptions, evaluator: Evaluator[Any, Any], opened: ExitStack) -> Judged:
    """Judge all samples in this process; engines stay open as long as `opened`.

    Raises:
        SegppError: as `run_validate`.
    """
    dataset = evaluator.dataset
    predictor = Predictor.open(options.engine, options.inference, keypoints=dataset.keypoints, also=options.also)
    opened.enter_context(predictor)
    check_model(options, evaluator, predictor)
    reference = open_reference(options, predictor, dataset.keypoints)
    if reference is not None:
        opened.enter_context(reference)
    records = watch_samples(options, evaluator, predictor, reference)
    judgement = evaluator.judge(predictor, reference, f"Validating on {dataset.name}")
    return Judged(predictor, judgement, records, predictor.taken, predictor)


def watch_samples(
    options: ValidateOptions,
    evaluator: Evaluator[Any, Any],
    predictor: Predictor[Any],
    reference: Predictor[Any] | None,
) -> SampleRecords:
    """Return the records that the evaluator fills as it judges; nothing is watched where nobody asks for any."""
    metadata = None if reference is None else reference.metadata
    records = SampleRecords(options.records, predictor.task, predictor.metadata, metadata, evaluator.dataset)
    if not options.records.is_empty:
        evaluator.watch = records.take
    return records


def check_model(options: ValidateOptions, evaluator: Evaluator[Any, Any], model: Model) -> None:
    """Check, before the work and before a reference is loaded, which takes its time, that model and data fit together.

    Raises:
        SegppError: they do not, or records that are asked for cannot be had.
    """
    require_task(evaluator.dataset, model.metadata.task)
    require_class_count(evaluator.dataset, len(model.metadata.classes))
    require_records(options.records, model.task)
    evaluator.survey(model.metadata)
