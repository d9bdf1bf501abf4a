"""Every step on this machine's CPU, with the model that comes with this package; the figures are a comparison's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from segpp_deploy.config import Automatic, Preset, TaskName
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.images import write_image, write_labels
from segpp_deploy.errors import SegppError
from segpp_deploy.files import write_text
from segpp_deploy.hardware.devices import this_cpu
from segpp_deploy.model.weights.cards import keep_quiet, load_card, resolve_card_checkpoint
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.report.json_report import to_json
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import choose_target
from segpp_deploy.tuning.gate_options import AUTO_POINTS, GateOptions
from segpp_deploy.tuning.measurement import Candidate, Measurement
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.result import BuildResult
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.compare.options import Axis, CompareOptions, Filter
from segpp_deploy.workflows.compare.result import CompareResult
from segpp_deploy.workflows.compare.run import compare_models
from segpp_deploy.workflows.demo.options import DemoOptions
from segpp_deploy.workflows.demo.report import draw_modes, require_report_libraries, write_report
from segpp_deploy.workflows.demo.result import DemoResult
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export


def run_demo(options: DemoOptions, progress: Progress = no_progress) -> DemoResult:
    """Export and build each mode, compare it with the first row, and write the report.

    Raises:
        SegppError: the shipped model or a library is missing, or the report cannot be written.
    """
    require_report_libraries()
    subject = options.subject
    resolve_card_checkpoint(load_card(subject.model))  # what is missing is told before the work
    data = _held_out(options, progress)
    target = choose_target((this_cpu(),))
    engines = {mode: _make_engine(options, mode, data, target.target, progress) for mode in options.modes}
    found = compare_models(_comparison(options, data, target.target, engines), progress, keep_quiet)
    result = DemoResult(
        model=subject.model,
        size=subject.size,
        images=subject.images,
        torch_images=found.torch_images,
        iterations=options.iterations,
        rows=_measurements(found),
        environment=asdict(found.environment),
        html=options.out / "report.html",
        notes=(target.note, *(f"{mode}: {note}" for mode, built in engines.items() for note in built.notes)),
        task=options.task,
    )
    draw_modes(parse_dataset(data), {mode: built.path for mode, built in engines.items()}, options.out / "overlay.jpg")
    write_text(options.out / "report.json", to_json(result.to_dict()) + "\n")
    write_report(result, found, options.out)
    return result


def _comparison(
    options: DemoOptions, data: str, target: TargetName, engines: Mapping[Preset, BuildResult]
) -> CompareOptions:
    """Return the comparison of the engines, each in the precision that was chosen for it, with the first row."""
    chosen = {mode: built.manifest.precision for mode, built in engines.items()}
    return CompareOptions(
        sources=(CardSource(options.subject.model),),
        data=data,
        out=options.out,
        modes=tuple(map(str, engines)),
        sizes=(options.subject.size,),
        targets=(target,),
        precisions=tuple(dict.fromkeys(chosen.values())),
        baseline=options.subject.baseline,
        only=tuple(
            Filter({Axis.MODE: frozenset({str(mode)}), Axis.PRECISION: frozenset({str(precision)})})
            for mode, precision in chosen.items()
        ),
        iterations=options.iterations,
        fresh=True,
        built={str(mode): built.path for mode, built in engines.items()},
    )


def _measurements(found: CompareResult) -> tuple[Measurement, ...]:
    """Return the figures of all rows; differences are to the first.

    Raises:
        SegppError: a row has none.
    """
    rows: list[Measurement] = []
    for row in found.rows:
        candidate = row.cell.candidate
        if row.judged is None or row.timed is None or row.timed.speedup is None:
            raise SegppError(f"{row.cell} failed: {row.reason}", "engines that run.")
        headline = row.judged.evaluation.headline
        rows.append(
            Measurement(
                candidate=Candidate(candidate.plan.name, candidate.engine.target, candidate.engine.precision),
                attention_pairs=row.judged.attention_pairs,
                headline=headline,
                delta=-headline.loss_from(rows[0].headline if rows else headline),
                agreement=row.judged.agreement,
                latency_ms=row.timed.latency_ms,
                speedup=row.timed.speedup,
                peak_memory_bytes=row.timed.peak_memory_bytes,
            )
        )
    return tuple(rows)


def _held_out(options: DemoOptions, progress: Progress) -> str:
    """Return the data set that is judged on; scenes are drawn once and written, for people to look at."""
    subject = options.subject
    spec = f"{subject.kind}:{subject.images}"
    if options.task is not TaskName.SEG:
        return spec
    folder, step = options.out / "scenes", "Drawing held-out scenes"
    dataset = parse_dataset(spec)
    assert dataset.classes is not None
    progress(step, 0, len(dataset))
    for done, sample in enumerate(dataset, start=1):
        example = sample.load(len(dataset.classes))
        assert example.target is not None
        write_image(folder / "images" / f"{sample.name}.png", example.image)
        write_labels(folder / "labels" / f"{sample.name}.png", example.target, dataset.classes)
        progress(step, done, len(dataset))
    return f"folder:{folder}"


def _make_engine(options: DemoOptions, mode: Preset, data: str, target: TargetName, progress: Progress) -> BuildResult:
    """Export a mode and build it in the fastest precision that the held-out pictures let pass."""
    step, number = "Exporting and building engines", options.modes.index(mode)
    progress(step, number, len(options.modes))
    folder, subject = options.out / "engines", options.subject
    exported = run_export(
        ExportOptions(folder / f"{mode}.onnx", CardSource(subject.model), mode=str(mode), size=subject.size, batch=1)
    )
    gate = GateOptions(AUTO_POINTS, data, subject.images)
    built = run_build(exported.path, folder / f"{mode}.engine", BuildOptions(target, Automatic.AUTO, gate=gate))
    progress(step, number + 1, len(options.modes))
    return built
