"""Whether the plugins compute on this GPU what they should: each kernel against the reference, then a small model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from numpy.typing import NDArray

from segpp_deploy import commands
from segpp_deploy.config import Lowering, Preset, Size
from segpp_deploy.data.datasets import AnyDataset, Dataset, Sample
from segpp_deploy.data.scenes import generate_scene
from segpp_deploy.errors import SegppError
from segpp_deploy.evaluation.evaluator import Evaluator
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.hardware.nvidia_gpu import require_gpu
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.ops.declaration import FLOATS, OpDeclaration
from segpp_deploy.plugin_library.device_kernels import DeviceKernels
from segpp_deploy.plugin_library.host_kernels import open_host_kernels
from segpp_deploy.plugin_library.library import find_plugin_library
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.report.numbers import format_agreement
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.tensorrt.api import import_tensorrt
from segpp_deploy.runtimes.torch.reference import open_reference
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from segpp_deploy.workflows.selftest.cases import CASES, OpCase
from segpp_deploy.workflows.selftest.checks import compute_reference, judge
from segpp_deploy.workflows.selftest.device_checks import check_device_kernels, random_cases
from segpp_deploy.workflows.selftest.kernel_timing import time_kernels
from segpp_deploy.workflows.selftest.result import CheckResult, SelftestResult

MODEL = "segformer_b0_scenes"
MODEL_SIZE = Size(256, 512)
MODEL_SCENES = 4
MODEL_BARS = {Preset.ORIGINAL: 0.999, Preset.HQ: 0.995, Preset.FAST_REUSE: 0.995, Preset.FAST_PLUS: 0.995}
"""Least share of pixels with PyTorch's label; merging makes choices that rounding may turn where they are close."""


class OpRunner(Protocol):
    """Computes a custom op somewhere."""

    def run(
        self, op: OpDeclaration, inputs: Sequence[NDArray[Any]], attributes: Mapping[str, int]
    ) -> tuple[NDArray[Any], ...]:
        """Return the op's outputs.

        Raises:
            SegppError: it cannot be computed.
        """


@dataclass(frozen=True)
class SelftestOptions:
    """What to test.

    Args:
        host: run the kernels' code on the CPU, by emulation; no model then.
        kernels: run the kernels alone on the GPU, without TensorRT, and time them.
        cases: what to compute with the ops; large ones are left out on the CPU.
    """

    host: bool = False
    kernels: bool = False
    cases: tuple[OpCase, ...] = CASES


def run_selftest(options: SelftestOptions | None = None, progress: Progress = no_progress) -> SelftestResult:
    """Compare every op in every case and float type with PyTorch, and on a GPU a model in a few modes too.

    Raises:
        SegppError: what is needed to test is missing; the message names all of it.
    """
    options = options or SelftestOptions()
    if options.host:
        cases = tuple(case for case in options.cases if not case.is_large)
        return SelftestResult("the kernels, emulated on the CPU", check_ops(open_host_kernels(), cases, progress))
    if options.kernels:
        return _test_kernels(options.cases, progress)
    where = require_device()
    from segpp_deploy.runtimes.tensorrt.one_plugin import OnePluginNetworks

    checks = check_ops(OnePluginNetworks(), options.cases, progress)
    return SelftestResult(where, checks + check_models(progress))


def _test_kernels(cases: Sequence[OpCase], progress: Progress) -> SelftestResult:
    kernels = DeviceKernels()
    checks = check_device_kernels(kernels, (*cases, *random_cases()), progress)
    return SelftestResult(kernels.description, checks, time_kernels(kernels, progress))


def require_device() -> str:
    """Return what the test will run on, in words.

    Raises:
        SegppError: TensorRT, the GPU or the plugin library is missing; the message names all that is.
    """
    needed: tuple[Callable[[], Any], ...] = (
        lambda: import_tensorrt(TargetName.TENSORRT),
        require_gpu,
        find_plugin_library,
    )
    found, missing = [], []
    for find in needed:
        try:
            found.append(find())
        except SegppError as error:
            missing.append(error)
    if missing:
        raise SegppError(
            f"The self-test cannot run here. {' '.join(error.what for error in missing)}",
            "an NVIDIA GPU, TensorRT, and the plugin library built for them.",
            f"{'; '.join(error.fix.rstrip('.') for error in missing)}. Without a GPU: " + commands.selftest(host=True),
        )
    trt, gpu, library = found
    library.require_runs_on(gpu.compute_capability)
    return f"TensorRT {trt.version}, compute capability {gpu.compute_capability}, {library.path.name}"


def check_ops(runner: OpRunner, cases: Sequence[OpCase], progress: Progress = no_progress) -> tuple[CheckResult, ...]:
    """Compare a runner with the PyTorch reference, in every float type."""
    step, results = "Comparing the kernels with PyTorch", []
    total = len(cases) * len(FLOATS)
    progress(step, 0, total)
    for case in cases:
        for dtype in FLOATS:
            results.append(check_op(runner, case, dtype))
            progress(step, len(results), total)
    return tuple(results)


def check_op(runner: OpRunner, case: OpCase, dtype: str) -> CheckResult:
    """Compare one call; a runner that gives up has failed the check."""
    inputs = case.make_inputs(dtype)
    try:
        found = runner.run(case.op, inputs.tensors, inputs.attributes)
    except SegppError as error:
        return CheckResult(case.op.name, str(case), dtype, False, error.what)
    verdict = judge(case, inputs, compute_reference(case, inputs), found)
    return CheckResult(case.op.name, str(case), dtype, verdict.passed, verdict.finding)


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
