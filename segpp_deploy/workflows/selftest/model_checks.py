"""The shipped model in a few modes, from the weights to labels, compared with PyTorch."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from segpp_deploy.config import Lowering, Preset, Size
from segpp_deploy.data.datasets import AnyDataset, Dataset, Sample
from segpp_deploy.data.scenes import generate_scene
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.evaluator import Evaluator
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.ops.declaration import FLOATS
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.report.numbers import format_agreement
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.torch.reference import open_reference
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from segpp_deploy.workflows.selftest.result import CheckResult

MODEL = "segformer_b0_scenes"
MODEL_SIZE = Size(256, 512)
MODEL_SCENES = 4
MODEL_BARS = {Preset.ORIGINAL: 0.999, Preset.HQ: 0.995, Preset.FAST_REUSE: 0.995, Preset.FAST_PLUS: 0.995}
"""Least share of pixels with PyTorch's label; merging makes choices that rounding may turn where they are close."""


def check_models(progress: Progress = no_progress, target: TargetName = TargetName.TENSORRT) -> tuple[CheckResult, ...]:
    """Export, build and run the shipped model in a few modes, and compare its labels with PyTorch's."""
    step, results = "Building and comparing a small model", []
    progress(step, 0, len(MODEL_BARS))
    with TemporaryDirectory() as name:
        for mode in MODEL_BARS:
            results.append(check_model(mode, target, Path(name)))
            progress(step, len(results), len(MODEL_BARS))
    return tuple(results)


def check_model(mode: Preset, target: TargetName, folder: Path) -> CheckResult:
    """Take one mode from the weights to labels; a step that fails has failed the check."""
    try:
        agreement = _measure_agreement(mode, target, folder)
    except SegppError as error:
        return CheckResult(MODEL, str(mode), FLOATS[0], False, error.what)
    bar = MODEL_BARS[mode]
    finding = f"{format_agreement(agreement)} of the pixels as PyTorch, at least {bar:.1%}"
    return CheckResult(MODEL, str(mode), FLOATS[0], agreement >= bar, finding)


def _measure_agreement(mode: Preset, target: TargetName, folder: Path) -> float:
    lowering = Lowering.PLUGIN if target is TargetName.TENSORRT else Lowering.PORTABLE
    options = ExportOptions(
        folder / f"{mode}.onnx", CardSource(MODEL), mode=str(mode), size=MODEL_SIZE, batch=1, lowering=lowering
    )
    graph = run_export(options)
    engine = run_build(graph.path, folder / f"{mode}.engine", BuildOptions(target=target)).path
    with Predictor.open(engine) as predictor:
        reference = Predictor[Any](open_reference(predictor.metadata, None, engine))
        kept = Evaluator[Any, Any](_scenes()).keep(reference)
        return kept.compare(predictor).agreement[0].value


def _scenes() -> AnyDataset:
    """Return a few scenes of the model's size; PyTorch's labels are what counts."""
    samples = tuple(
        Sample[None](f"scene {seed}", lambda seed=seed: generate_scene(seed, MODEL_SIZE).image)  # type: ignore[misc]
        for seed in range(MODEL_SCENES)
    )
    return Dataset("scenes", samples)
