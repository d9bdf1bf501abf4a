"""How fast int8 and bf16 are on this CPU beside ONNX Runtime in float32, at 1024x1024, batch 1.

All engines of one model and mode take turns in one process; uint8 pictures in, labels out, random weights. Every layer
that the target's recipe covers is in int8 (`--int8-layers all`).

    python -m benchmarks.measure.int8_speed                              B0 and B5 (an hour)
    python -m benchmarks.measure.int8_speed --arch b0 --mode fast        a part; it is merged into the record
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import cv2

from benchmarks.arguments import make_parser
from benchmarks.recording import Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import Arch, Int8Layers, Precision, Preset, Size
from segpp_deploy.data.scenes import generate_scene
from segpp_deploy.engine.open import open_session
from segpp_deploy.evaluation.latency import measure_interleaved
from segpp_deploy.graph.contract import noise_images
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import open_target
from segpp_deploy.tuning.calibration.options import CalibrationOptions
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from tests.support.exporting import PICTURE_TO_LABELS, export
from tests.support.random_models import random_model

SIZE = Size(1024, 1024)
CLASSES = 19
ARCHS = (Arch.B0, Arch.B5)
MODES = (Preset.ORIGINAL, Preset.HQ, Preset.FAST)
ENGINES = (
    (TargetName.CPU, Precision.FP32),
    (TargetName.CPU, Precision.INT8),
    (TargetName.OPENVINO, Precision.FP32),
    (TargetName.OPENVINO, Precision.BF16),
    (TargetName.OPENVINO, Precision.INT8),
)
BASELINE = ENGINES[0]
WARMUP = 2
LEAST = {(Arch.B0, Preset.FAST, TargetName.CPU): 1.0}
"""Bars of int8 against float32 on the same target. That OpenVINO reaches 3x of ONNX Runtime is reported, not held: it
takes a CPU with AMX."""


def main() -> int:
    """Measure, print, record after every mode; 1 if an engine misses its bar."""
    parser = make_parser(__doc__)
    parser.add_argument("--arch", nargs="+", type=Arch, choices=ARCHS, default=list(ARCHS))
    parser.add_argument("--mode", nargs="+", type=Preset, choices=MODES, default=list(MODES))
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    rows: list[Row] = []
    for arch in arguments.arch:
        for mode in arguments.mode:
            print(arch, mode, file=sys.stderr)
            rows += measure(arch, mode, arguments.rounds)
            record_rows("int8_speed", rows[-len(ENGINES) :], sort_key, {"size": str(SIZE), "rounds": arguments.rounds})
    SECTION.show(rows)
    return int(not all(row["passed"] for row in rows))


def measure(arch: Arch, mode: Preset, rounds: int) -> list[Row]:
    """Time all engines of one model and mode."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as opened:
        folder = Path(name)
        model = random_model(Dialect.MMSEG, arch, CLASSES)
        engines = build_all(export(model, mode, folder / "model.onnx", SIZE, **PICTURE_TO_LABELS).path, folder)
        sessions = {key: opened.enter_context(closing(open_session(path))) for key, path in engines.items()}
        images = noise_images(next(iter(sessions.values())).metadata)
        runs = {name_of(*key): partial(session.run, images) for key, session in sessions.items()}
        timed = measure_interleaved(runs, rounds, WARMUP)
    best = {key: timed.stats(name_of(*key)).min for key in engines}
    rows = []
    for target, precision in engines:
        median = timed.speedup(name_of(*BASELINE), name_of(target, precision))
        own = (target, Precision.FP32)
        over_own = timed.speedup(name_of(*own), name_of(target, precision))
        least = LEAST.get((arch, mode, target), 0.0) if precision is Precision.INT8 else 0.0
        rows.append(
            {
                "arch": str(arch),
                "mode": str(mode),
                "target": str(target),
                "precision": str(precision),
                "best_ms": best[target, precision],
                "ratio_best": best[BASELINE] / best[target, precision],
                "ratio_median": median,
                "over_own_fp32": over_own,
                "passed": over_own >= least,
            }
        )
    return rows


def build_all(exported: Path, folder: Path) -> dict[tuple[TargetName, Precision], Path]:
    """Build the engines that this machine can compute; two scenes give the ranges, which do not change the time."""
    pictures = folder / "pictures"
    pictures.mkdir()
    for seed in range(2):
        scene = generate_scene(seed, Size(256, 256))
        cv2.imwrite(str(pictures / f"{seed}.png"), scene.image[..., ::-1])
    engines = {}
    for target, precision in ENGINES:
        if precision not in open_target(target).usable_precisions():
            continue
        path = folder / f"{name_of(target, precision)}.engine"
        calibration = CalibrationOptions(str(pictures), images=2) if precision is Precision.INT8 else None
        options = BuildOptions(target, precision, calibration=calibration, int8_layers=Int8Layers.ALL)
        run_build(exported, path, options)
        engines[target, precision] = path
    return engines


def name_of(target: TargetName, precision: Precision) -> str:
    """Return a name for an engine."""
    return f"{target}-{precision}"


def sort_key(row: Row) -> tuple[int, int, int]:
    """Models, modes and engines in their order."""
    engine = (TargetName(row["target"]), Precision(row["precision"]))
    return ARCHS.index(Arch(row["arch"])), MODES.index(Preset(row["mode"])), ENGINES.index(engine)


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per engine."""
    rows = [
        (
            row["arch"].upper(),
            row["mode"],
            row["target"],
            row["precision"],
            f"{row['best_ms']:.0f}",
            f"{row['ratio_best']:.2f}",
            f"{row['ratio_median']:.2f}",
            f"{row['over_own_fp32']:.2f}",
        )
        for row in recorded
    ]
    numbers = number_columns(
        "best ms",
        "times as fast as ONNX Runtime fp32 (best)",
        "(median)",
        "as fp32 on the same target (median)",
    )
    return [Table("", (*text_columns("model", "mode", "target", "precision"), *numbers), tuple(rows))]


SECTION = Section(
    "Speed of int8 and bf16 on a CPU",
    "{size}, batch 1, uint8 pictures in, labels out, random weights; {rounds} rounds in which all engines of a "
    "model and mode take turns. Every layer that the target's recipe covers is in int8 (`--int8-layers all`). What "
    "is not listed was not measured, or this CPU cannot compute it.",
    make_tables,
    ("onnx", "onnxruntime", "openvino"),
    names_cpu_features=True,
)


if __name__ == "__main__":
    raise SystemExit(main())
