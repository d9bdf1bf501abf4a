"""Samples judged by the workers of a Ray cluster; what they count is added up here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from segpp_deploy.data.datasets import AnyDataset
from segpp_deploy.data.findings import Findings, collect_findings, note_all
from segpp_deploy.evaluation.evaluator import Evaluator, Judgement
from segpp_deploy.evaluation.failures import Failures
from segpp_deploy.fleet.engines import FleetEngines, copy_engines
from segpp_deploy.fleet.ray_data import run_on_ray
from segpp_deploy.progress import Progress
from segpp_deploy.workflows.validate.judging import Judged, check_model, watch_samples
from segpp_deploy.workflows.validate.options import Against, ValidateOptions
from segpp_deploy.workflows.validate.records import SampleRecords, TakenRecords
from segpp_deploy.workflows.validate.reference import open_reference


@dataclass(frozen=True)
class Work:
    """What each worker needs to know.

    Args:
        options: of the command.
        dataset: all samples; jobs are places in it.
        engines: that are judged.
        reference: a copy of the engine that they are compared with; None where it is none.
    """

    options: ValidateOptions
    dataset: AnyDataset
    engines: FleetEngines
    reference: FleetEngines | None


@dataclass(frozen=True)
class Part:
    """What was found on some samples.

    Args:
        samples: how many these were, readable or not.
        judgement: what was counted.
        records: of single samples.
        failures: samples that could not be read.
        findings: of readers.
        taken: pictures by the place of the engine that was given them.
    """

    samples: int
    judgement: Judgement[Any, Any]
    records: TakenRecords
    failures: Failures
    findings: Findings
    taken: Counter[int]


class SampleWorker:
    """Judges samples; lives in a worker's process."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._predictor = work.engines.open()
        self._reference = open_reference(work.options, self._predictor, work.dataset.keypoints, work.reference)

    def __call__(self, places: Sequence[int]) -> Part:
        """Judge the samples in these places of the data set."""
        options, predictor, reference = self._work.options, self._predictor, self._reference
        samples = tuple(self._work.dataset.samples[place] for place in places)
        dataset, failures = replace(self._work.dataset, samples=samples), Failures(allowed=None)
        evaluator = Evaluator[Any, Any](dataset, failures=failures, boundary_px=options.boundary_px)
        records = watch_samples(options, evaluator, predictor, reference)
        before = Counter(predictor.taken)
        with collect_findings() as findings:
            judgement = evaluator.judge(predictor, reference)
        return Part(len(places), judgement, records.taken, failures, findings, predictor.taken - before)


def judge_on_fleet(
    options: ValidateOptions, evaluator: Evaluator[Any, Any], failures: Failures, progress: Progress
) -> Judged:
    """Judge all samples, whose files are where workers see them.

    Args:
        options: of the command.
        evaluator: of all samples.
        failures: take those that cannot be read.
        progress: told of how many samples it is known what became of them.

    Raises:
        SegppError: the cluster is not there, more samples cannot be read than may, or what judging raises.
    """
    dataset = evaluator.dataset
    engines = copy_engines(options.engine, options.also, options.inference, dataset.keypoints)
    engines.task.require_parts("ray")
    check_model(options, evaluator, engines)
    records = SampleRecords(options.records, engines.task, engines.metadata, None, dataset)
    against = options.against
    reference = None if isinstance(against, Against) else copy_engines(against, (), options.inference)
    open_worker = partial(SampleWorker, Work(options, dataset, engines, reference))
    step, done, taken = f"Validating on {dataset.name}", 0, Counter[int]()
    judgement: Judgement[Any, Any] | None = None
    progress(step, 0, len(dataset))
    with closing(run_on_ray(str(options.ray), range(len(dataset)), open_worker, engines.needs)) as parts:
        for part in parts:
            if judgement is None:
                judgement = part.judgement
            else:
                judgement.merge(part.judgement)
            records.taken.merge(part.records)
            note_all(part.findings)
            taken += part.taken
            failures.merge(part.failures)
            done += part.samples
            progress(step, done, len(dataset))
    failures.sort(sample.name for sample in dataset)
    if judgement is None:
        raise ValueError("a data set without samples")
    return Judged(engines, judgement, records, taken)
