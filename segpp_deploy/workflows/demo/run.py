"""Every step on this machine's CPU, with the model that comes with this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segpp_deploy.config import Preset
from segpp_deploy.data.datasets import AnyDataset
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.images import write_image, write_labels
from segpp_deploy.evaluation.evaluator import Evaluator
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.files import write_text
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.model.arch import ARCH_SPECS
from segpp_deploy.model.weights.cards import load_card, resolve_card_checkpoint
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.report.json_report import to_json
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.torch.reference import open_reference
from segpp_deploy.tuning.measurement import Candidate, Measurement
from segpp_deploy.workflows.bench.options import BenchOptions
from segpp_deploy.workflows.bench.result import BenchResult
from segpp_deploy.workflows.bench.run import run_bench
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.result import BuildResult
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.demo.options import DemoOptions
from segpp_deploy.workflows.demo.report import draw_modes, require_report_libraries, write_report
from segpp_deploy.workflows.demo.result import DemoResult
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export

TORCH_IMAGES = 3  # compared with PyTorch, which is slow; the other images are judged by their labels only
WARMUP = 3


def run_demo(options: DemoOptions, progress: Progress = no_progress) -> DemoResult:
    """Export, build, validate and time each mode; write the report.

    Raises:
        SegppError: the shipped model or a library is missing, or the report cannot be written.
    """
    require_report_libraries()
    resolve_card_checkpoint(load_card(options.model))  # what is missing is told before the work
    scenes = _write_scenes(options, progress)
    engines = {mode: _make_engine(options, mode, progress) for mode in options.modes}
    paths = tuple(built.path for built in engines.values())
    timings = run_bench(BenchOptions(paths, options.iterations, WARMUP), progress)
    result = DemoResult(
        model=options.model,
        size=options.size,
        images=options.images,
        torch_images=min(TORCH_IMAGES, options.images),
        iterations=options.iterations,
        rows=_measure(engines, scenes, timings, progress),
        environment=timings.to_dict()["environment"],
        html=options.out / "report.html",
    )
    draw_modes(scenes, {mode: built.path for mode, built in engines.items()}, options.out / "overlay.jpg")
    write_text(options.out / "report.json", to_json(result.to_dict()) + "\n")
    write_report(result, options.out)
    return result


def _write_scenes(options: DemoOptions, progress: Progress) -> AnyDataset:
    """Draw the held-out scenes once and return them as a data set."""
    folder, step = options.out / "scenes", "Drawing held-out scenes"
    dataset = parse_dataset(f"scenes:{options.images}")
    assert dataset.classes is not None
    progress(step, 0, len(dataset))
    for done, sample in enumerate(dataset, start=1):
        example = sample.load(len(dataset.classes))
        assert example.target is not None
        write_image(folder / "images" / f"{sample.name}.png", example.image)
        write_labels(folder / "labels" / f"{sample.name}.png", example.target, dataset.classes)
        progress(step, done, len(dataset))
    return parse_dataset(f"folder:{folder}")


def _make_engine(options: DemoOptions, mode: Preset, progress: Progress) -> BuildResult:
    step, number = "Exporting and building engines", options.modes.index(mode)
    progress(step, number, len(options.modes))
    folder = options.out / "engines"
    exported = run_export(
        ExportOptions(folder / f"{mode}.onnx", CardSource(options.model), mode=str(mode), size=options.size, batch=1)
    )
    built = run_build(exported.path, folder / f"{mode}.engine", BuildOptions(target=TargetName.CPU))
    progress(step, number + 1, len(options.modes))
    return built


def _measure(
    engines: Mapping[Preset, BuildResult], scenes: AnyDataset, timings: BenchResult, progress: Progress
) -> tuple[Measurement, ...]:
    rows: list[Measurement] = []
    judged = Evaluator[Any, Any](scenes, progress)
    compared = Evaluator[Any, Any](scenes.first(TORCH_IMAGES), progress)
    unmerged = _attention_pairs(timings.engines[0].manifest.metadata)
    for (mode, built), timing in zip(engines.items(), timings.engines, strict=True):
        metadata = built.manifest.metadata
        with Predictor.open(built.path) as predictor:
            headline = judged.evaluate(predictor, f"Validating {mode}").headline
            with Predictor[Any](open_reference(metadata, None, built.path)) as torch:
                found = compared.compare(predictor, torch, f"Comparing {mode} with PyTorch")
        rows.append(
            Measurement(
                candidate=Candidate(str(mode), built.manifest.target, built.manifest.precision),
                attention_pairs=_attention_pairs(metadata) / unmerged,
                headline=headline,
                delta=-headline.loss_from(rows[0].headline if rows else headline),
                agreement=found.agreement[0],
                latency_ms=timing.latency_ms.median,
                speedup=timings.speedup(0, len(rows)),
                peak_memory_bytes=timing.peak_memory_bytes,
            )
        )
    return tuple(rows)


def _attention_pairs(metadata: ExportMetadata) -> int:
    """Count query-key pairs over all layers of the encoder."""
    depths = ARCH_SPECS[metadata.arch].depths
    return sum(depth * stage.q_after * stage.kv_after for depth, stage in zip(depths, metadata.tokens, strict=True))
