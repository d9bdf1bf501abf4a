"""Every step on this machine's CPU, with the model that comes with this package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from segpp_deploy.config import Preset, Size
from segpp_deploy.data.datasets import parse_dataset
from segpp_deploy.data.images import write_image, write_labels
from segpp_deploy.engine.build import BuildOptions, build_engine
from segpp_deploy.files import write_text
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.model.arch import ARCH_SPECS
from segpp_deploy.model.cards import load_card, resolve_card_checkpoint
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.report.json_report import to_json
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.bench.result import BenchResult
from segpp_deploy.workflows.bench.run import BenchOptions, run_bench
from segpp_deploy.workflows.demo.report import draw_modes, require_report_libraries, write_report
from segpp_deploy.workflows.demo.result import DemoResult, DemoRow
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from segpp_deploy.workflows.validate import Against, ValidateOptions, run_validate

DEMO_MODEL = "segformer_b0_scenes"
DEMO_SIZE = Size(512, 1024)
DEMO_MODES = (Preset.ORIGINAL, Preset.HQ, Preset.FAST, Preset.FAST_REUSE, Preset.POOL_2X2)
TORCH_IMAGES = 3  # compared with PyTorch, which is slow; the other images are judged by their labels only
WARMUP = 3


@dataclass(frozen=True)
class DemoOptions:
    """What the demo does.

    Args:
        out: the report directory.
        images: held-out scenes to judge each mode on.
        iterations: timed calls of each engine.
        model: a card, or a card file.
        size: what the engines take, in pixels.
        modes: the first is the baseline of the others.
    """

    out: Path
    images: int = 24
    iterations: int = 15
    model: str = DEMO_MODEL
    size: Size = DEMO_SIZE
    modes: tuple[Preset, ...] = DEMO_MODES


def run_demo(options: DemoOptions, progress: Progress = no_progress) -> DemoResult:
    """Export, build, validate and time each mode; write the report.

    Raises:
        SegppError: the shipped model or a library is missing, or the report cannot be written.
    """
    require_report_libraries()
    resolve_card_checkpoint(load_card(options.model))  # what is missing is told before the work
    data = _write_scenes(options, progress)
    engines = {mode: _make_engine(options, mode, progress) for mode in options.modes}
    paths = tuple(path for path, _ in engines.values())
    timings = run_bench(BenchOptions(paths, options.iterations, WARMUP), progress)
    rows = _collect_rows(options, engines, data, timings, progress)
    result = DemoResult(
        model=options.model,
        size=options.size,
        images=options.images,
        torch_images=min(TORCH_IMAGES, options.images),
        iterations=options.iterations,
        rows=rows,
        environment=timings.to_dict()["environment"],
        html=options.out / "report.html",
    )
    draw_modes(data, {mode: path for mode, (path, _) in engines.items()}, options.out / "overlay.jpg")
    write_text(options.out / "report.json", to_json(result.to_dict()) + "\n")
    write_report(result, options.out)
    return result


def _write_scenes(options: DemoOptions, progress: Progress) -> str:
    """Draw the held-out scenes once and return them as a data set."""
    folder, step = options.out / "scenes", "Drawing held-out scenes"
    dataset = parse_dataset(f"scenes:{options.images}")
    assert dataset.classes is not None
    progress(step, 0, len(dataset))
    for done, sample in enumerate(dataset, start=1):
        image, labels = sample.load(len(dataset.classes))
        write_image(folder / "images" / f"{sample.name}.png", image)
        write_labels(folder / "labels" / f"{sample.name}.png", labels, dataset.classes)
        progress(step, done, len(dataset))
    return f"folder:{folder}"


def _make_engine(options: DemoOptions, mode: Preset, progress: Progress) -> tuple[Path, ExportMetadata]:
    step, number = "Exporting and building engines", options.modes.index(mode)
    progress(step, number, len(options.modes))
    folder = options.out / "engines"
    exported = run_export(
        ExportOptions(folder / f"{mode}.onnx", model=options.model, mode=str(mode), size=options.size, batch=1)
    )
    engine = build_engine(exported.path, folder / f"{mode}.engine", BuildOptions(target=TargetName.CPU)).path
    progress(step, number + 1, len(options.modes))
    return engine, exported.metadata


def _collect_rows(
    options: DemoOptions,
    engines: Mapping[Preset, tuple[Path, ExportMetadata]],
    data: str,
    timings: BenchResult,
    progress: Progress,
) -> tuple[DemoRow, ...]:
    rows: list[DemoRow] = []
    unmerged = _attention_pairs(engines[options.modes[0]][1])
    for (mode, (engine, metadata)), timing in zip(engines.items(), timings.engines, strict=True):
        judged = run_validate(
            ValidateOptions(engine, data, against=Against.NONE), _titled(progress, f"Validating {mode}")
        )
        compared = run_validate(
            ValidateOptions(engine, data, limit=TORCH_IMAGES), _titled(progress, f"Comparing {mode} with PyTorch")
        )
        assert compared.reference is not None
        rows.append(
            DemoRow(
                mode=str(mode),
                attention_pairs=_attention_pairs(metadata) / unmerged,
                miou=judged.segmentation.miou,
                torch_agreement=compared.reference.pixel_agreement,
                latency_ms=timing.latency_ms.median,
                speedup=timings.speedup(0, len(rows)),
                peak_memory_bytes=timing.peak_memory_bytes,
            )
        )
    return tuple(rows)


def _titled(progress: Progress, title: str) -> Progress:
    def report(step: str, done: int, total: int) -> None:
        progress(title, done, total)

    return report


def _attention_pairs(metadata: ExportMetadata) -> int:
    """Count query-key pairs over all layers of the encoder."""
    depths = ARCH_SPECS[metadata.arch].depths
    return sum(depth * stage.q_after * stage.kv_after for depth, stage in zip(depths, metadata.tokens, strict=True))
