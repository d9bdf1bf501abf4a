"""Every step on this machine's CPU, with the model that comes with this package."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.config import Automatic, Preset
from segpp_deploy.data.datasets import AnyDataset
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.data.images import write_image, write_labels
from segpp_deploy.engine.open import open_session
from segpp_deploy.evaluation.environment import describe_environment
from segpp_deploy.evaluation.evaluator import Evaluator
from segpp_deploy.evaluation.latency import InterleavedLatency, take_turns
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.evaluation.worker import Opener, start_worker
from segpp_deploy.files import write_text
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.hardware.devices import this_cpu
from segpp_deploy.model.arch import ARCH_SPECS
from segpp_deploy.model.weights.cards import load_card, resolve_card_checkpoint
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.report.json_report import to_json
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import choose_target
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.runtimes.torch.reference import open_reference
from segpp_deploy.tuning.gate_options import AUTO_POINTS, GateOptions
from segpp_deploy.tuning.measurement import Candidate, Measurement
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.result import BuildResult
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.demo.options import DemoOptions
from segpp_deploy.workflows.demo.plain import build_plain, open_plain
from segpp_deploy.workflows.demo.report import draw_modes, require_report_libraries, write_report
from segpp_deploy.workflows.demo.result import DemoResult
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export

TORCH_IMAGES = 3  # compared with PyTorch, which is slow; the other images are judged by their labels only
WARMUP = 3


@dataclass(frozen=True)
class _Contestant:
    """An engine that takes pictures and gives label maps, and how to open it as such."""

    built: BuildResult
    open_engine: Opener = open_session

    @property
    def metadata(self) -> ExportMetadata:
        return self.built.manifest.metadata

    def predictor(self) -> Predictor[Any]:
        return Predictor(self.open_engine(self.built.path, SessionOptions()))


def run_demo(options: DemoOptions, progress: Progress = no_progress) -> DemoResult:
    """Export, build, validate and time the plain export and each mode; write the report.

    Raises:
        SegppError: the shipped model or a library is missing, or the report cannot be written.
    """
    require_report_libraries()
    resolve_card_checkpoint(load_card(options.model))  # what is missing is told before the work
    scenes = _write_scenes(options, progress)
    target = choose_target((this_cpu(),))
    engines = {mode: _make_engine(options, mode, target.target, progress) for mode in options.modes}
    original = next(iter(engines.values())).manifest.metadata
    plain = _Contestant(build_plain(options.model, original, _engine_folder(options) / "plain.engine"), open_plain)
    contestants = [plain, *map(_Contestant, engines.values())]
    timed, peaks = _time(contestants, options.iterations, progress)
    result = DemoResult(
        model=options.model,
        size=options.size,
        images=options.images,
        torch_images=min(TORCH_IMAGES, options.images),
        iterations=options.iterations,
        rows=_measure(contestants, scenes, timed, peaks, progress),
        environment=asdict(describe_environment()),
        html=options.out / "report.html",
        notes=(target.note, *(f"{mode}: {note}" for mode, built in engines.items() for note in built.notes)),
    )
    draw_modes(scenes, {mode: built.path for mode, built in engines.items()}, options.out / "overlay.jpg")
    write_text(options.out / "report.json", to_json(result.to_dict()) + "\n")
    write_report(result, [built.path for built in engines.values()], options.out)
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
    return parse_dataset(_scenes_data(options))


def _scenes_data(options: DemoOptions) -> str:
    return f"folder:{options.out / 'scenes'}"


def _engine_folder(options: DemoOptions) -> Path:
    return options.out / "engines"


def _make_engine(options: DemoOptions, mode: Preset, target: TargetName, progress: Progress) -> BuildResult:
    """Export a mode and build it in the fastest precision that the held-out scenes let pass."""
    step, number = "Exporting and building engines", options.modes.index(mode)
    progress(step, number, len(options.modes))
    folder = _engine_folder(options)
    exported = run_export(
        ExportOptions(folder / f"{mode}.onnx", CardSource(options.model), mode=str(mode), size=options.size, batch=1)
    )
    gate = GateOptions(AUTO_POINTS, _scenes_data(options), options.images)
    built = run_build(exported.path, folder / f"{mode}.engine", BuildOptions(target, Automatic.AUTO, gate=gate))
    progress(step, number + 1, len(options.modes))
    return built


def _time(
    contestants: Sequence[_Contestant], iterations: int, progress: Progress
) -> tuple[InterleavedLatency, list[int]]:
    """Time all of them in turns, picture in and label map out, each in a process of its own; return peak memory too."""
    with ExitStack() as stack:
        workers = [
            stack.enter_context(start_worker(one.built.path, SessionOptions(), open_engine=one.open_engine))
            for one in contestants
        ]
        timers = {str(index): worker.run_ms for index, worker in enumerate(workers)}
        timed = take_turns(timers, iterations, WARMUP, progress)
        return timed, [worker.peak_memory_bytes() for worker in workers]


def _measure(
    contestants: Sequence[_Contestant],
    scenes: AnyDataset,
    timed: InterleavedLatency,
    peaks: Sequence[int],
    progress: Progress,
) -> tuple[Measurement, ...]:
    rows: list[Measurement] = []
    judged = Evaluator[Any, Any](scenes, progress)
    compared = Evaluator[Any, Any](scenes.first(TORCH_IMAGES), progress)
    unmerged = _attention_pairs(contestants[0].metadata)
    for index, one in enumerate(contestants):
        mode = one.metadata.mode
        with one.predictor() as predictor:
            headline = judged.evaluate(predictor, f"Validating {mode}").headline
            with Predictor[Any](open_reference(predictor.metadata, None, one.built.path)) as torch:
                found = compared.compare(predictor, torch, f"Comparing {mode} with PyTorch")
        rows.append(
            Measurement(
                candidate=Candidate(mode, one.built.manifest.target, one.built.manifest.precision),
                attention_pairs=_attention_pairs(one.metadata) / unmerged,
                headline=headline,
                delta=-headline.loss_from(rows[0].headline if rows else headline),
                agreement=found.agreement[0],
                latency_ms=timed.stats(str(index)).median,
                speedup=timed.speedup("0", str(index)),
                peak_memory_bytes=peaks[index],
            )
        )
    return tuple(rows)


def _attention_pairs(metadata: ExportMetadata) -> int:
    """Count query-key pairs over all layers of the encoder."""
    depths = ARCH_SPECS[metadata.arch].depths
    return sum(depth * stage.q_after * stage.kv_after for depth, stage in zip(depths, metadata.tokens, strict=True))
