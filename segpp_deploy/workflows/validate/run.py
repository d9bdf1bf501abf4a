"""How accurate an engine is on labelled pictures, and how closely it follows its reference."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np

from segpp_deploy import commands
from segpp_deploy.data.datasets import AnyDataset
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.findings import collect_findings
from segpp_deploy.data.geometry.whole import prepare
from segpp_deploy.engine.observed import ObservableEngine
from segpp_deploy.engine.open import verify_engine
from segpp_deploy.evaluation.evaluator import Evaluator
from segpp_deploy.evaluation.failures import Failures
from segpp_deploy.evaluation.layer_errors import LayerError, find_layer_errors
from segpp_deploy.evaluation.predictor import Predictor, describe_shares
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.workflows.validate.judging import judge_here
from segpp_deploy.workflows.validate.options import ValidateOptions
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
        if options.ray:
            from segpp_deploy.workflows.validate.fleet import judge_on_fleet  # for who has a fleet

            judged = judge_on_fleet(options, evaluator, failures, progress)
        else:
            judged = judge_here(options, evaluator, opened)
        comparison = None
        if judged.judgement.theirs is None:
            evaluation = evaluator.finish(judged.judgement)
        else:
            found = evaluator.finish_comparison(judged.judgement)
            evaluation = found.evaluation
            comparison = ReferenceComparison(str(options.against), found.reference.headline, found.agreement)
        predictor, model = judged.predictor, judged.model
        worst, files = judged.records.finish(predictor, progress)
        layers = _look_into(options, predictor, dataset, progress) if options.layers and predictor else ()
        shares = describe_shares(model.sizes, judged.taken)
        return ValidateResult(
            engine=options.engine,
            mode=model.metadata.mode,
            data=dataset.name,
            evaluation=evaluation,
            reference=comparison,
            findings=(*model.task.conditions(options.inference), *shares, *findings.notes()),
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
