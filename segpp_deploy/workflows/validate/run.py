"""How accurate an engine is on labelled pictures, and how closely it follows its reference."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from segpp_deploy import commands
from segpp_deploy.config import KeypointRelations
from segpp_deploy.data.datasets import AnyDataset, require_class_count, require_task
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.findings import collect_findings
from segpp_deploy.data.geometry.whole import prepare
from segpp_deploy.engine.observed import ObservableEngine
from segpp_deploy.engine.open import verify_engine
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.evaluator import Evaluator
from segpp_deploy.evaluation.failures import Failures
from segpp_deploy.evaluation.layer_errors import LayerError, find_layer_errors
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.workflows.validate.options import Against, ValidateOptions
from segpp_deploy.workflows.validate.records import SampleRecords, require_records
from segpp_deploy.workflows.validate.result import ReferenceComparison, ValidateResult


def run_validate(options: ValidateOptions, progress: Progress = no_progress) -> ValidateResult:
    """Run an engine, and its reference, over a data set.

    Raises:
        SegppError: the engine, its reference or the data cannot be used, or do not fit together; more files cannot be
            read than may, or none can.
    """
    with collect_findings() as findings, ExitStack() as opened:
        dataset = _open_dataset(options)
        failures = Failures(options.max_failures, commands.option("max-failures", "N"))
        evaluator = Evaluator[Any, Any](dataset, progress, failures, options.boundary_px)
        step = f"Validating on {dataset.name}"
        keypoints = dataset.keypoints
        predictor = opened.enter_context(
            Predictor.open(options.engine, options.inference, keypoints=keypoints, also=options.also)
        )
        metadata = predictor.metadata
        require_task(dataset, metadata.task)
        require_class_count(dataset, len(metadata.classes))
        require_records(options.records, predictor.task)
        evaluator.survey(metadata)  # before the reference is loaded, which takes its time
        reference = _open_reference(options, predictor, keypoints)
        records = SampleRecords(options.records, predictor, None if reference is None else reference.metadata, dataset)
        if not options.records.is_empty:
            evaluator.watch = records.take
        comparison = None
        if reference is None:
            evaluation = evaluator.evaluate(predictor, step)
        else:
            opened.enter_context(reference)
            found = evaluator.compare(predictor, reference, step)
            evaluation = found.evaluation
            comparison = ReferenceComparison(str(options.against), found.reference.headline, found.agreement)
        worst, files = records.finish(progress)
        layers = _look_into(options, predictor, dataset, progress) if options.layers else ()
        return ValidateResult(
            engine=options.engine,
            mode=metadata.mode,
            data=dataset.name,
            evaluation=evaluation,
            reference=comparison,
            findings=(*predictor.task.conditions(options.inference), *predictor.notes(), *findings.notes()),
            failures=failures,
            worst=worst,
            files=files,
            layers=layers,
        )


def _look_into(
    options: ValidateOptions, predictor: Predictor[Any], dataset: AnyDataset, progress: Progress
) -> tuple[LayerError, ...]:
    """Compare the engine's tensors with PyTorch's on a few samples, spread over the data set."""
    from segpp_deploy.runtimes.torch.reference import load_model_for  # PyTorch is slow to load
    from segpp_deploy.runtimes.torch.tensors import TorchTensors

    metadata = predictor.metadata
    engine = ObservableEngine(options.engine, verify_engine(options.engine))
    model = load_model_for(metadata, options.checkpoint, options.engine)
    batches = []
    for sample in dataset.spread(options.layers):
        example = sample.load(len(metadata.classes))
        shown = next(iter(predictor.task.views(example.image, example.box, options.inference, metadata).inputs()))
        prepared = prepare(shown, metadata.size, metadata.input_kind, metadata.normalization)
        batches.append(np.stack([prepared] * metadata.images_per_call))
    return find_layer_errors(engine, TorchTensors(model, metadata), batches, None, progress)


def _open_dataset(options: ValidateOptions) -> AnyDataset:
    if isinstance(options.data, str):
        return parse_dataset(options.data, options.limit, boxes=options.boxes)
    return options.data.first(options.limit)


def _open_reference(
    options: ValidateOptions, predictor: Predictor[Any], keypoints: KeypointRelations | None
) -> Predictor[Any] | None:
    metadata = predictor.metadata
    if options.against is Against.NONE:
        return None
    if options.against is Against.TORCH:
        from segpp_deploy.runtimes.torch.reference import load_model_for  # PyTorch is slow to load
        from segpp_deploy.runtimes.torch.session import TorchSession

        model = load_model_for(metadata, options.checkpoint, options.engine)
        sessions = [TorchSession(model, replace(metadata, size=size)) for size in predictor.sizes]
        return Predictor(sessions[0], options.inference, keypoints, sessions[1:])
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
