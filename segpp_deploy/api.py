"""The command line's steps as functions: checkpoint -> ONNX -> engine -> labels; `import segpp_deploy` offers them.

Each takes what its command takes, by keyword, and returns what its command prints. Paths may be strings, choices may be
the enums or their names; what is wrong raises `SegppError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from segpp_deploy.config import (
    MAX_FAILURES,
    Arch,
    Automatic,
    CalibrationMethod,
    Choice,
    Fit,
    Inference,
    InputKind,
    Int8Layers,
    LabelsLayout,
    Lowering,
    OutputForm,
    OutputKind,
    Precision,
    Preset,
    Size,
    TaskName,
    TorchDevice,
    parse_choice,
    parse_precision,
    parse_size,
)
from segpp_deploy.model.weights.training_record import NOTHING_SAID, TrainingRecord
from segpp_deploy.packaging.stacks import Stack
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.runtimes.builder_options import BuilderOptions
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.calibration.options import (
    CALIBRATION_IMAGES,
    CALIBRATION_METHOD,
    CalibrationOptions,
    parse_calibration,
)
from segpp_deploy.tuning.gate_options import GATE_IMAGES, parse_gate
from segpp_deploy.tuning.search.options import parse_goal
from segpp_deploy.workflows.bench.options import ITERATIONS, WARMUP, BenchOptions
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.compare.options import ITERATIONS as TIMED_CALLS
from segpp_deploy.workflows.compare.options import MODES, CompareOptions, parse_filters
from segpp_deploy.workflows.compare.options import OUT as COMPARE_OUT
from segpp_deploy.workflows.export.options import ExportOptions, parse_model, parse_source
from segpp_deploy.workflows.package.options import PackageOptions
from segpp_deploy.workflows.tune.options import MINUTES, OUT, TuneOptions

if TYPE_CHECKING:
    from segpp_deploy.data.datasets import AnyDataset
    from segpp_deploy.engine.open import Engine
    from segpp_deploy.model.plan import MergePlan
    from segpp_deploy.workflows.bench.result import BenchResult
    from segpp_deploy.workflows.build_engine.result import BuildResult
    from segpp_deploy.workflows.calibrate import CalibrateResult
    from segpp_deploy.workflows.compare.result import CompareResult
    from segpp_deploy.workflows.export.result import ExportResult
    from segpp_deploy.workflows.package.result import PackageResult
    from segpp_deploy.workflows.tune.result import TuneResult
    from segpp_deploy.workflows.validate.options import RecordOptions
    from segpp_deploy.workflows.validate.result import ValidateResult

C = TypeVar("C", bound=Choice)
AnyPath = str | Path


def export(
    output: AnyPath,
    model: str | None = None,
    *,
    checkpoint: AnyPath | None = None,
    random_weights: int | None = None,
    mode: Preset | MergePlan | AnyPath = Preset.ORIGINAL,
    size: Size | str | None = None,
    batch: int | None = 1,
    arch: Arch | str | None = None,
    task: TaskName | str | None = None,
    num_outputs: int | None = None,
    weights: str | None = None,
    training: TrainingRecord = NOTHING_SAID,
    input_kind: InputKind | str = InputKind.UINT8,
    output_kind: OutputKind | str | None = None,
    output_name: str | None = None,
    output_layout: LabelsLayout | str = LabelsLayout.NHW,
    confidence: bool = False,
    lowering: Lowering | str = Lowering.PORTABLE,
    fit: Fit | str = Fit.RESIZE,
) -> ExportResult:
    """Write a model as an ONNX file.

    Args:
        output: the file to write.
        model: name of a model card, or a card file.
        checkpoint: weights file or Hugging Face directory; in place of the card's, or without a card.
        random_weights: a seed, to study latency without weights.
        mode: a preset, a plan file, or a plan.
        size: input size in pixels, (height, width) or "512x1024"; the card's or the task's if None.
        batch: images per call; None for a dynamic batch axis.
        arch: what is expected of the weights; likewise `task` and `num_outputs` (classes or keypoints).
        task: see `arch`.
        num_outputs: see `arch`.
        weights: which of a checkpoint's weights: "ema", "plain", or a name; the average, if there is one, if None.
        training: what you know of the training; the rest is read from the source, or assumed.
        input_kind: RGB bytes; floats that are normalised, or from 0 to 255.
        output_kind: labels or logits; heatmaps for pose.
        output_name: of the output; its kind's name if None.
        output_layout: of labels: [B, H, W], or [B, H, W, 1].
        confidence: add a second output, 255 times the probability of each label; `Engine.run_all` gives both.
        lowering: standard ONNX ops, or plugin nodes for TensorRT.
        fit: pictures of another aspect are stretched, or padded at their own.
    """
    from segpp_deploy.model.plan import MergePlan
    from segpp_deploy.workflows.export.run import run_export

    source = parse_source(
        model,
        None if checkpoint is None else Path(checkpoint),
        random_weights,
        arch=_optional(Arch, arch),
        task=_optional(TaskName, task),
        num_outputs=num_outputs,
        weights=weights,
        stated=training,
    )
    return run_export(
        ExportOptions(
            output=Path(output),
            source=source,
            mode=mode if isinstance(mode, MergePlan) else str(mode),
            size=parse_size(size) if isinstance(size, str) else size,
            batch=batch,
            input_kind=_member(InputKind, input_kind),
            output_kind=_optional(OutputKind, output_kind),
            lowering=_member(Lowering, lowering),
            fit=_member(Fit, fit),
            output_form=OutputForm(output_name, _member(LabelsLayout, output_layout), confidence),
        )
    )


def build(
    source: AnyPath,
    output: AnyPath,
    *,
    target: TargetName | str = TargetName.AUTO,
    precision: Precision | Automatic | str | None = None,
    threads: int | None = None,
    builder: BuilderOptions | None = None,
    calibration: AnyPath | CalibrationOptions | None = None,
    int8_layers: Int8Layers | str = Int8Layers.FASTER,
    gate_points: float | None = None,
    gate_data: str | None = None,
    gate_images: int = GATE_IMAGES,
    report_dir: AnyPath | None = None,
    progress: Progress = no_progress,
) -> BuildResult:
    """Build an engine from an exported file, with a manifest beside it.

    Args:
        source: the ONNX file.
        output: the engine file to write.
        target: what computes it; "auto": the fastest that works here.
        precision: number format; the graph's if None. "auto": the fastest that loses at most `gate_points` (0.1 if
            None) on `gate_data`, and fp32 without such.
        threads: CPU threads; one per physical core if None.
        builder: what the builder of a GPU target is asked for.
        calibration: a range file, a data set or a directory of pictures to find ranges on.
        int8_layers: int8 where it is faster on this machine, or for all layers.
        gate_points: hundredths of the headline score that the engine may lose, on `gate_data`.
        gate_data: held-out pictures.
        gate_images: judge on so many of them.
        report_dir: write precision.html, .md and .json there.
        progress: told about each step.
    """
    from segpp_deploy.workflows.build_engine.run import run_build

    named = calibration if isinstance(calibration, CalibrationOptions) or calibration is None else str(calibration)
    wanted = None if precision is None else parse_precision(str(precision))
    options = BuildOptions(
        target=_member(TargetName, target),
        precision=wanted,
        threads=threads,
        builder=builder or BuilderOptions(),
        calibration=parse_calibration(named, threads) if isinstance(named, str) else named,
        int8_layers=_member(Int8Layers, int8_layers),
        gate=parse_gate(gate_points, gate_data, gate_images, chooses_precision=wanted is Automatic.AUTO),
        report_dir=None if report_dir is None else Path(report_dir),
    )
    return run_build(Path(source), Path(output), options, progress)


def calibrate(
    source: AnyPath,
    output: AnyPath,
    data: AnyPath,
    *,
    images: int = CALIBRATION_IMAGES,
    method: CalibrationMethod | str = CALIBRATION_METHOD,
    threads: int | None = None,
    progress: Progress = no_progress,
) -> CalibrateResult:
    """Find the range of every tensor that int8 needs, and write them to a file.

    Args:
        source: a float32 ONNX file.
        output: the range file to write.
        data: a data set (KIND:PATH) or a directory of pictures.
        images: use so many, spread evenly.
        method: how values that are too large are clipped.
        threads: CPU threads; one per physical core if None.
        progress: told about each step.
    """
    from segpp_deploy.workflows.calibrate import run_calibrate

    options = CalibrationOptions(str(data), images, _member(CalibrationMethod, method), threads)
    return run_calibrate(Path(source), Path(output), options, progress)


def load(engine: AnyPath, *, threads: int | None = None) -> Engine:
    """Load an engine that takes and gives arrays; close it to give its memory back, best with `with`.

    `Predictor.open` does the same for pictures of any size.

    Args:
        engine: the engine file.
        threads: CPU threads; what it was built with if None.
    """
    from segpp_deploy.engine.open import Engine

    return Engine.open(Path(engine), threads=threads)


def evaluate(
    engine: AnyPath,
    data: str | AnyDataset,
    *,
    limit: int | None = None,
    boxes: AnyPath | None = None,
    inference: Inference | str = Inference.WHOLE,
    against: AnyPath | None = None,
    checkpoint: AnyPath | None = None,
    max_failures: int = MAX_FAILURES,
    boundary_px: int = 0,
    records: RecordOptions | None = None,
    layers: int = 0,
    also: Sequence[AnyPath] = (),
    ray: str | None = None,
    device: TorchDevice | str = TorchDevice.CPU,
    progress: Progress = no_progress,
) -> ValidateResult:
    """Measure an engine's accuracy, and how closely it follows a reference.

    Args:
        engine: the engine file.
        data: a data set (KIND:PATH), or your own `Dataset`.
        limit: use the first so many samples.
        boxes: a file with a detector's boxes, for data sets of persons; None for the annotated ones.
        inference: look at each picture or person whole, average overlapping windows, or a person and the mirror image.
        against: "torch" for the float32 PyTorch model of the same mode, or another engine; None for no reference.
        checkpoint: the PyTorch weights, where the recorded place has changed.
        max_failures: go on without so many pictures that cannot be read; the result lists them.
        boundary_px: of segmentation, judge besides what lies so near to the edges of regions; 0: do not.
        records: files about single samples.
        layers: compare every tensor with PyTorch's on so many samples; 0: do not.
        also: engines of the same model for other input sizes; each picture goes to the one whose shape it has.
        ray: the address of a Ray cluster that does it, or "local"; None: this process does.
        device: where the PyTorch model computes.
        progress: told about each batch.
    """
    from segpp_deploy.workflows.validate.options import NO_RECORDS, Against, ValidateOptions, parse_against
    from segpp_deploy.workflows.validate.run import run_validate

    options = ValidateOptions(
        engine=Path(engine),
        data=data,
        limit=limit,
        boxes=None if boxes is None else Path(boxes),
        inference=_member(Inference, inference),
        against=Against.NONE if against is None else parse_against(str(against)),
        checkpoint=None if checkpoint is None else Path(checkpoint),
        max_failures=max_failures,
        boundary_px=boundary_px,
        records=records or NO_RECORDS,
        layers=layers,
        also=tuple(map(Path, also)),
        ray=ray,
        device=_member(TorchDevice, device),
    )
    return run_validate(options, progress)


def bench(
    *engines: AnyPath,
    iterations: int = ITERATIONS,
    warmup: int = WARMUP,
    profile: bool = False,
    threads: int | None = None,
    report_dir: AnyPath | None = None,
    batch: int | None = None,
    baseline: AnyPath | None = None,
    end_to_end: bool = False,
    picture: AnyPath | None = None,
    sustained_s: float | None = None,
    progress: Progress = no_progress,
) -> BenchResult:
    """Time engines that take turns, each in a process of its own; speed-ups are over the first.

    Args:
        engines: the engine files.
        iterations: timed calls of each.
        warmup: untimed calls before.
        profile: also take the time by part of the network and by kind of operation.
        threads: CPU threads; what they were built with if None.
        report_dir: also write bench.json, bench.md and bench.html there.
        batch: images per call of engines with a dynamic batch; 1 if None.
        baseline: an earlier bench.json to compare with.
        end_to_end: also time the way from a picture file to the answer in the picture's geometry.
        picture: a picture or a directory of them for that; a generated one if None.
        sustained_s: seconds that each engine then runs without a pause; not at all if None.
        progress: told about each call.
    """
    from segpp_deploy.workflows.bench.run import run_bench

    options = BenchOptions(
        engines=tuple(map(Path, engines)),
        iterations=iterations,
        warmup=warmup,
        profile=profile,
        threads=threads,
        report_dir=None if report_dir is None else Path(report_dir),
        batch=batch,
        baseline=None if baseline is None else Path(baseline),
        end_to_end=end_to_end,
        picture=None if picture is None else Path(picture),
        sustained_s=sustained_s,
    )
    return run_bench(options, progress)


def compare(
    models: AnyPath | Sequence[AnyPath],
    data: str | AnyDataset,
    *,
    output: AnyPath = COMPARE_OUT,
    modes: Sequence[Preset | AnyPath] = MODES,
    sizes: Sequence[Size | str] = (),
    targets: Sequence[TargetName | str] = (),
    precisions: Sequence[Precision | str] = (),
    baseline: Preset | AnyPath = Preset.ORIGINAL,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    limit: int | None = None,
    iterations: int = TIMED_CALLS,
    calibration: AnyPath | CalibrationOptions | None = None,
    weights: str | None = None,
    training: TrainingRecord = NOTHING_SAID,
    threads: int | None = None,
    fresh: bool = False,
    progress: Progress = no_progress,
) -> CompareResult:
    """Judge and time merge modes at several sizes, on several targets, in several precisions, beside each other.

    Args:
        models: weights files, Hugging Face directories, or model cards.
        data: pictures to judge on: a data set (KIND:PATH), a directory, or your own `Dataset`.
        output: the report's directory; what was found in it by the same comparison is not measured again.
        modes: presets and plan files.
        sizes: input sizes in pixels; the source's or the task's if empty.
        targets: runtimes; all that work here if empty.
        precisions: number formats; all that the targets compute in here if empty.
        baseline: the mode that speed-ups are over; "plain" for an ordinary export.
        only: rows that match one of these, such as "mode=fast,target=cpu"; all if empty.
        skip: rows that match one of these are left out.
        limit: use the first so many samples.
        iterations: timed calls of each engine.
        calibration: a range file, a data set or a directory of pictures, for int8.
        weights: which of a checkpoint's weights.
        training: what you know of the training; the rest is read from the sources, or assumed.
        threads: CPU threads of the engines; one per physical core if None.
        fresh: measure everything anew.
        progress: told about each step.
    """
    from segpp_deploy.workflows.compare.run import run_compare

    listed = [models] if isinstance(models, str | Path) else models
    named = calibration if isinstance(calibration, CalibrationOptions) or calibration is None else str(calibration)
    options = CompareOptions(
        sources=tuple(parse_model(str(model), weights, training) for model in listed),
        data=data,
        out=Path(output),
        modes=tuple(map(str, modes)),
        sizes=tuple(parse_size(size) if isinstance(size, str) else size for size in sizes),
        targets=tuple(_member(TargetName, name) for name in targets),
        precisions=tuple(_member(Precision, name) for name in precisions),
        baseline=str(baseline),
        only=parse_filters(only),
        skip=parse_filters(skip),
        limit=limit,
        iterations=iterations,
        calibration=parse_calibration(named, threads) if isinstance(named, str) else named,
        threads=threads,
        fresh=fresh,
    )
    return run_compare(options, progress)


def package(*engines: AnyPath, stack: Stack | str, out: AnyPath, name: str | None = None) -> PackageResult:
    """Put engines into the files that a serving stack runs; neither their runtime nor their device needs to be here.

    Args:
        engines: the engine files.
        stack: what will run them.
        out: a new directory.
        name: what the model is called; as its engine's file if None.
    """
    from segpp_deploy.workflows.package.run import run_package

    return run_package(PackageOptions(tuple(map(Path, engines)), _member(Stack, stack), Path(out), name))


def tune(
    model: AnyPath,
    data: str | AnyDataset,
    *,
    loss: float | None = None,
    latency_ms: float | None = None,
    confirm: str | AnyDataset | None = None,
    output: AnyPath = OUT,
    size: Size | str | None = None,
    targets: Sequence[TargetName | str] = (),
    precisions: Sequence[Precision | str] = (),
    gpu: str | None = None,
    images: int | None = None,
    minutes: float = MINUTES,
    trials: int | None = None,
    seed: int = 0,
    weights: str | None = None,
    training: TrainingRecord = NOTHING_SAID,
    threads: int | None = None,
    resume: bool = False,
    progress: Progress = no_progress,
) -> TuneResult:
    """Search for the merge plan, input size, target and precision that suit a model, its data and this machine.

    Ctrl-C ends the search; the result is then what is known, and says so.

    Args:
        model: weights file, Hugging Face directory, or model card.
        data: pictures to judge candidates on: a data set (KIND:PATH), a directory, or your own `Dataset`.
        loss: find the fastest that loses at most so many points of the headline score.
        latency_ms: find the most accurate that takes at most so many milliseconds a call.
        confirm: held-out pictures for the choice; every third of `data` if None.
        output: the directory of the search's state and its result.
        size: input size in pixels, (height, width) or "512x1024"; the source's or the task's if None.
        targets: runtimes to choose from; all that work here if empty.
        precisions: number formats to choose from; likewise.
        gpu: a GPU that is not here: candidates are ranked by the cost model, nothing is timed.
        images: judge on so many pictures; 200, or what there is time for, if None.
        minutes: about how long to search.
        trials: search no further after so many candidates.
        seed: of the plans that are tried.
        weights: which of a checkpoint's weights.
        training: what you know of the training; the rest is read from the source, or assumed.
        threads: CPU threads of the engines; one per physical core if None.
        resume: go on with the search in `output`.
        progress: told about each step.
    """
    from segpp_deploy.workflows.tune.run import run_tune

    options = TuneOptions(
        source=parse_model(str(model), weights, training),
        data=data,
        goal=parse_goal(loss, latency_ms),
        out=Path(output),
        confirm=confirm,
        images=images,
        size=parse_size(size) if isinstance(size, str) else size,
        targets=tuple(_member(TargetName, name) for name in targets),
        precisions=tuple(_member(Precision, name) for name in precisions),
        gpu=gpu,
        minutes=minutes,
        trials=trials,
        seed=seed,
        threads=threads,
        resume=resume,
    )
    return run_tune(options, progress)


def _member(choice: type[C], value: C | str) -> C:
    return parse_choice(choice, str(value), choice.__name__)


def _optional(choice: type[C], value: C | str | None) -> C | None:
    return None if value is None else _member(choice, value)
