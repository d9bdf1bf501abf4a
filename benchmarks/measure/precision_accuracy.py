"""fp16, bf16 and int8 beside fp32, B0: mIoU and IoU of every class, on CamVid and on the procedural scenes.

Calibrated on training pictures, judged on held-out ones, both by `build-engine` itself: every layer that the target's
recipe covers is reduced, none is returned. The demo model takes its recorded ranges. The engine that is judged is the
one that ONNX Runtime or OpenVINO runs; TensorRT-RTX builds its engines here, and what is judged is the same graph on
the CPU, with fp16's rounding emulated.

    python -m benchmarks.measure.precision_accuracy                                 everything (half an hour)
    python -m benchmarks.measure.precision_accuracy --data camvid --mode fast       a part; it is merged in
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks.arguments import make_parser
from benchmarks.recording import ROOT, Machines, Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import Int8Layers, Precision, Preset, Size
from segpp_deploy.engine.precision_record import GateOutcome
from segpp_deploy.errors import CheckFailedError
from segpp_deploy.graph.graph_file import read_graph
from segpp_deploy.graph.precision.ranges import write_ranges
from segpp_deploy.model.weights.source import CardSource, CheckpointSource
from segpp_deploy.report.numbers import format_agreement, format_percent
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.builder_options import BuilderOptions
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.calibration.calibration import calibrate_graph
from segpp_deploy.tuning.calibration.options import CalibrationOptions, RangesFile
from segpp_deploy.tuning.gate_options import GateOptions
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from tests.support import camvid_data

MODES = (Preset.ORIGINAL, Preset.HQ, Preset.FAST, Preset.HQ_PLUS, Preset.FAST_PLUS, Preset.POOL_2X2)
ENGINES = {
    f"{target}:{precision}": (target, precision)
    for target, precision in (
        (TargetName.CPU, Precision.INT8),
        (TargetName.OPENVINO, Precision.BF16),
        (TargetName.OPENVINO, Precision.INT8),
        (TargetName.TENSORRT_RTX, Precision.FP16),
        (TargetName.TENSORRT_RTX, Precision.INT8),
    )
}
CAMVID, SCENES = "camvid", "scenes"
DEMO = "segformer_b0_scenes"
CALIBRATION = ROOT / "calibration"
IMAGES = 64
BARS = {"most_points": 1.0, "most_points_fp16": 0.1, "least_agreement_fp16": 0.998}
COMPUTE_CAPABILITY = "8.9"


def main() -> int:
    """Measure, print, record after every engine; 1 if one misses its bar, 2 without the data."""
    parser = make_parser(__doc__)
    parser.add_argument("--data", nargs="+", choices=(CAMVID, SCENES), default=[CAMVID, SCENES])
    parser.add_argument("--mode", nargs="+", type=Preset, choices=MODES, default=list(MODES))
    parser.add_argument("--engine", nargs="+", choices=ENGINES, default=list(ENGINES))
    arguments = parser.parse_args()
    if CAMVID in arguments.data and (missing := camvid_data.explain_missing()):
        parser.error(missing)
    rows: list[Row] = []
    for data in arguments.data:
        for mode in arguments.mode:
            rows += measure(data, mode, arguments.engine)
    SECTION.show(rows)
    return int(not all(row["passed"] for row in rows))


def measure(data: str, mode: Preset, engines: list[str]) -> list[Row]:
    """Calibrate one mode once and judge its engines."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        exported, ranges, held_out = prepare(data, mode, Path(folder))
        for engine in engines:
            print(data, mode, engine, file=sys.stderr)
            target, precision = ENGINES[engine]
            row = judge(exported, target, precision, ranges, held_out)
            rows.append({"data": data, "mode": str(mode), "target": str(target), "precision": str(precision), **row})
            facts = {"calibration_images": IMAGES, **BARS}
            record_rows("precision_accuracy", rows[-1:], sort_key, facts, machines=Machines.LAST)
    return rows


def prepare(data: str, mode: Preset, folder: Path) -> tuple[Path, Path, str]:
    """Return the exported file, its range file, and the held-out pictures."""
    exported, ranges = folder / "model.onnx", folder / "ranges.yaml"
    if data == SCENES:
        run_export(ExportOptions(exported, CardSource(DEMO), mode=str(mode), size=Size(512, 1024)))
        return exported, CALIBRATION / f"{DEMO}.{mode}.yaml", "scenes:40"
    run_export(ExportOptions(exported, CheckpointSource(camvid_data.WEIGHTS), mode=str(mode), size=Size(360, 480)))
    options = CalibrationOptions(f"camvid:{camvid_data.FRAMES}#train", IMAGES)
    write_ranges(ranges, calibrate_graph(read_graph(exported), options).ranges)
    return exported, ranges, f"camvid:{camvid_data.FRAMES}#val"


def judge(exported: Path, target: TargetName, precision: Precision, ranges: Path, held_out: str) -> Row:
    """Build one engine behind a gate that lets everything pass, and return what it saw."""
    gpus = (COMPUTE_CAPABILITY,) if target is TargetName.TENSORRT_RTX else ()
    options = BuildOptions(
        target,
        precision,
        builder=BuilderOptions(compute_capabilities=gpus),
        calibration=None if precision is Precision.BF16 else RangesFile(ranges),
        int8_layers=Int8Layers.ALL,
        gate=GateOptions(100.0, held_out),
    )
    try:
        build = run_build(exported, exported.with_suffix(".engine"), options)
    except CheckFailedError as error:
        return {"passed": False, "error": error.what}
    assert build.report is not None
    assert build.report.gate is not None
    record = build.report.manifest.precision_record
    assert record is not None
    outcome = build.report.gate.outcome
    return {
        "images": outcome.images,
        "miou_fp32": outcome.reference.value,
        "miou": outcome.engine.value,
        "agreement": outcome.agreement.value,
        "layers": len(record.quantized),
        "per_class_iou": {name: list(iou) for name, iou in build.report.gate.per_class.items()},
        "passed": passes(outcome, precision),
    }


def passes(outcome: GateOutcome, precision: Precision) -> bool:
    """Whether the bar of a precision is met."""
    if precision is not Precision.FP16:
        return outcome.lost_points <= BARS["most_points"]
    close = abs(outcome.lost_points) <= BARS["most_points_fp16"]
    return close and outcome.agreement.value >= BARS["least_agreement_fp16"]


def sort_key(row: Row) -> tuple[bool, int, int]:
    """CamVid first, then modes and engines in their order."""
    engine = f"{row['target']}:{row['precision']}"
    return row["data"] != CAMVID, MODES.index(Preset(row["mode"])), list(ENGINES).index(engine)


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per engine; then, for each data set, the IoU of every class in int8 on the target cpu, side by side."""
    named = ("data", "mode", "target", "precision")
    rows = [(*(row[name] for name in named), *_accuracy_cells(row)) for row in recorded]
    numbers = number_columns("images", "mIoU fp32", "mIoU", "points", "pixels as fp32", "layers reduced")
    engines = Table("", (*text_columns(*named), *numbers), tuple(rows))
    by_data = defaultdict(list)
    for row in recorded:
        if (row["target"], row["precision"]) == ("cpu", "int8") and "per_class_iou" in row:
            by_data[row["data"]].append(row)
    return [engines, *(_class_table(data, rows) for data, rows in by_data.items())]


def _accuracy_cells(row: Row) -> tuple[str, ...]:
    if "error" in row:
        return "failed", "", "", "", "", ""
    return (
        str(row["images"]),
        format_percent(row["miou_fp32"]),
        format_percent(row["miou"]),
        f"{100 * (row['miou'] - row['miou_fp32']):+.2f}",
        format_agreement(row["agreement"]),
        str(row["layers"]) if row["layers"] else "all",
    )


def _class_table(data: str, rows: list[Row]) -> Table:
    headings = [f"{row['mode']} {precision}" for row in rows for precision in ("fp32", "int8")]
    cells = [
        (name, *(format_percent(iou) for row in rows for iou in row["per_class_iou"][name]))
        for name in rows[0]["per_class_iou"]
    ]
    columns = (*text_columns("class"), *number_columns(*headings))
    return Table(f"IoU of each class, {data}, target cpu", columns, tuple(cells))


SECTION = Section(
    "fp16, bf16 and int8 beside fp32",
    "SegFormer-B0: trained on CamVid, at 360x480, and the demo's model on procedural scenes, at 512x1024. "
    "Calibrated on {calibration_images} training pictures and judged on held-out ones by `build-engine`: every "
    "layer that the target's recipe covers is reduced, none was returned. fp32 is the same mode. Engines of "
    "TensorRT-RTX were built but not run: the same graph was judged on the CPU, where every result that it makes "
    "in fp16 was rounded to fp16, and sums are float32, as on a GPU. Bars: a loss of {most_points} points of mIoU; "
    "for fp16 {most_points_fp16} points and {least_agreement_fp16:.1%} of the pixels.",
    make_tables,
    ("onnx", "onnxruntime", "openvino", "tensorrt_rtx"),
    names_cpu_features=True,
)


if __name__ == "__main__":
    raise SystemExit(main())
