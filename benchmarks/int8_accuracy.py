"""int8 beside fp32, B0: mIoU and IoU of every class, on CamVid and on the procedural scenes.

Calibrated on training pictures, judged on held-out ones, both by `build-engine` itself: every layer that the target's
recipe covers is in int8, nothing is returned to float32. The demo model takes its recorded ranges. The engine is the
one that ONNX Runtime or OpenVINO runs.

    python benchmarks/int8_accuracy.py                                         everything (an hour)
    python benchmarks/int8_accuracy.py --data camvid --mode fast --target cpu    a part; it is merged into the record
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import camvid_data
from recording import Row, record_rows
from result_tables import show

from segpp_deploy.config import Precision, Preset, Size
from segpp_deploy.engine.build import BuildOptions
from segpp_deploy.engine.precision_record import Placement
from segpp_deploy.engine.target import TargetName
from segpp_deploy.errors import CheckFailedError
from segpp_deploy.workflows.build import run_build
from segpp_deploy.workflows.export import run_export
from segpp_deploy.workflows.export_options import ExportOptions
from segpp_deploy.workflows.precision.options import PrecisionOptions

MODES = (Preset.ORIGINAL, Preset.HQ, Preset.FAST, Preset.POOL_2X2)
TARGETS = (TargetName.CPU, TargetName.OPENVINO)
CAMVID, SCENES = "camvid", "scenes"
DEMO = "segformer_b0_scenes"
CALIBRATION = Path(__file__).resolve().parent.parent / "calibration"
MOST_POINTS = 1.0
IMAGES = 64


def main() -> int:
    """Measure, print, record after every engine; 1 if one misses the bar, 2 without the data."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=(CAMVID, SCENES), default=[CAMVID, SCENES])
    parser.add_argument("--mode", nargs="+", type=Preset, choices=MODES, default=list(MODES))
    parser.add_argument("--target", nargs="+", type=TargetName, choices=TARGETS, default=list(TARGETS))
    arguments = parser.parse_args()
    if CAMVID in arguments.data and (missing := camvid_data.explain_missing()):
        parser.error(missing)
    rows: list[Row] = []
    for data in arguments.data:
        for mode in arguments.mode:
            rows += measure(data, mode, arguments.target)
    show("int8_accuracy", {"rows": rows})
    return int(not all(row["passed"] for row in rows))


def measure(data: str, mode: Preset, targets: list[TargetName]) -> list[Row]:
    """Calibrate one mode once and judge an engine for each target."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "model.onnx"
        if data == CAMVID:
            options = ExportOptions(exported, checkpoint=camvid_data.WEIGHTS, mode=str(mode), size=Size(360, 480))
            train, held_out = f"camvid:{camvid_data.FRAMES}#train", f"camvid:{camvid_data.FRAMES}#val"
        else:
            options = ExportOptions(exported, model=DEMO, mode=str(mode), size=Size(512, 1024))
            train, held_out = str(CALIBRATION / f"{DEMO}.{mode}.yaml"), "scenes:40"
        run_export(options)
        for target in targets:
            print(data, mode, target, file=sys.stderr)
            row = judge(exported, target, train, held_out)
            rows.append({"data": data, "mode": str(mode), "target": str(target), **row})
            facts = {"calibration_images": IMAGES, "most_points": MOST_POINTS}
            record_rows("int8_accuracy", rows[-1:], sort_key, facts)
    return rows


def judge(exported: Path, target: TargetName, train: str, held_out: str) -> Row:
    """Build one engine behind a gate that lets everything pass, and return what it saw."""
    options = PrecisionOptions(
        calibration=train, images=IMAGES, placement=Placement.ALL, gate_points=100.0, gate_data=held_out
    )
    engine = exported.with_name(f"{target}.engine")
    try:
        build = run_build(exported, engine, BuildOptions(target, Precision.INT8), options)
    except CheckFailedError as error:
        return {"passed": False, "error": error.what}
    assert build.report is not None
    assert build.report.gate is not None
    outcome = build.report.gate.outcome
    return {
        "images": outcome.images,
        "miou_fp32": outcome.reference_miou,
        "miou_int8": outcome.engine_miou,
        "agreement": outcome.pixel_agreement,
        "layers": len(build.report.gate.recipe.layers),
        "per_class_iou": {name: list(iou) for name, iou in build.report.gate.per_class_iou.items()},
        "passed": outcome.lost_points <= MOST_POINTS,
    }


def sort_key(row: Row) -> tuple[int, int, int]:
    """CamVid first, then modes and targets in their order."""
    return row["data"] != CAMVID, MODES.index(Preset(row["mode"])), TARGETS.index(TargetName(row["target"]))


if __name__ == "__main__":
    raise SystemExit(main())
