"""Engines of one runtime on this machine: built, judged beside the float32 PyTorch model, and timed in turns.

The shipped model in three modes, uint8 pictures in, labels out, batch 1. Prints one JSON document.

    python -m benchmarks.gpu_hour.engines --target torch --lowering plugin --precision fp16 --out FOLDER
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.arguments import make_parser
from benchmarks.recording import Row
from segpp_deploy.config import Int8Layers, Lowering, Precision, Preset, Size, TorchDevice, parse_size
from segpp_deploy.errors import SegppError
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.calibration.options import CalibrationOptions, RangesFile
from segpp_deploy.workflows.bench.options import BenchOptions
from segpp_deploy.workflows.bench.run import run_bench
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.calibrate import run_calibrate
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from segpp_deploy.workflows.validate.options import ValidateOptions
from segpp_deploy.workflows.validate.run import run_validate

MODEL = "segformer_b0_scenes"
MODES = (Preset.ORIGINAL, Preset.HQ, Preset.FAST)
PICTURES = 8


def main() -> int:
    """Measure and print; 2 where the runtime is not here."""
    parser = make_parser(__doc__)
    parser.add_argument("--target", type=TargetName, required=True)
    parser.add_argument("--lowering", type=Lowering, required=True)
    parser.add_argument("--precision", type=Precision, required=True)
    parser.add_argument("--size", type=parse_size, default=Size(1024, 1024))
    parser.add_argument("--mode", type=Preset, nargs="+", default=MODES)
    parser.add_argument("--device", type=TorchDevice, default=TorchDevice.CUDA, help="of the PyTorch model")
    parser.add_argument("--threads", type=int, help="of engines on a CPU; one per physical core if absent")
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--pictures", type=int, default=PICTURES, help="to judge on, and others to calibrate on")
    parser.add_argument("--out", type=Path, required=True, help="keeps exports and ranges for the next call")
    arguments = parser.parse_args()
    try:
        engines = {mode: _build(arguments, mode) for mode in arguments.mode}
        rows = [_judge(mode, engine, arguments) for mode, engine in engines.items()]
        timed = run_bench(BenchOptions(tuple(engines.values()), arguments.iterations)).engines
    except SegppError as error:
        print(error)
        return 2
    common = {"target": arguments.target, "lowering": arguments.lowering, "precision": arguments.precision}
    for row, timing in zip(rows, timed, strict=True):
        stats = timing.calls.latency_ms
        row.update(common, size=str(arguments.size), runtime=timing.manifest.runtime.name)
        row.update(median_ms=stats.median, p99_ms=stats.p99, build_seconds=timing.manifest.build_seconds)
    print(json.dumps({"rows": rows}))
    return 0


def _build(asked: argparse.Namespace, mode: Preset) -> Path:
    graph = _export(asked.out, mode, asked.size, asked.lowering)
    is_int8 = asked.precision is Precision.INT8
    calibration = RangesFile(_calibrate(asked.out, mode, asked.size, asked.pictures)) if is_int8 else None
    options = BuildOptions(
        asked.target, asked.precision, asked.threads, calibration=calibration, int8_layers=Int8Layers.ALL
    )
    name = f"{mode}-{asked.lowering}-{asked.target}-{asked.precision}.engine"
    return run_build(graph, asked.out / name, options).path


def _export(folder: Path, mode: Preset, size: Size, lowering: Lowering) -> Path:
    path = folder / f"{mode}-{size}-{lowering}.onnx"
    if not path.exists():
        run_export(ExportOptions(path, CardSource(MODEL), mode=str(mode), size=size, lowering=lowering))
    return path


def _calibrate(folder: Path, mode: Preset, size: Size, pictures: int) -> Path:
    path = folder / f"{mode}-{size}.ranges.yaml"
    if not path.exists():
        options = CalibrationOptions(f"scenes:{pictures}#train", pictures)
        run_calibrate(_export(folder, mode, size, Lowering.PORTABLE), path, options)
    return path


def _judge(mode: Preset, engine: Path, asked: argparse.Namespace) -> Row:
    found = run_validate(ValidateOptions(engine, f"scenes:{asked.pictures}", device=asked.device))
    assert found.reference is not None
    return {
        "mode": str(mode),
        "miou": found.evaluation.headline.value,
        "miou_torch": found.reference.headline.value,
        "agreement": found.reference.agreement[0].value,
    }


if __name__ == "__main__":
    raise SystemExit(main())
