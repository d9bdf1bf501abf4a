"""CamVid, B0 in INT8: the four calibration methods, and how many images they need.

Calibrated on the training split, measured on the validation split; graphs for ONNX Runtime at 360x480 whose
convolutions and linear layers are quantised.

    python -m benchmarks.measure.calibration_methods                      all 101 frames
    python -m benchmarks.measure.calibration_methods --limit 5            a quick look; nothing is recorded
    python -m benchmarks.measure.calibration_methods --images 8 --methods mse
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.arguments import make_parser
from benchmarks.recording import Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import CalibrationMethod, Precision, Preset, Size
from segpp_deploy.data.datasets import AnyDataset
from segpp_deploy.data.datasets.registry import parse_dataset
from segpp_deploy.evaluation.evaluator import Evaluator
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.graph.graph_file import GraphFile, read_graph
from segpp_deploy.graph.precision.qdq import QUANTIZABLE_KINDS
from segpp_deploy.graph.precision.recipe import PrecisionRecipe, layers_of
from segpp_deploy.model.weights.source import CheckpointSource
from segpp_deploy.report.numbers import format_agreement, format_percent
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.calibration.calibration import compare_methods
from segpp_deploy.tuning.calibration.options import CalibrationOptions
from segpp_deploy.tuning.candidates import CandidateBench
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from tests.support import camvid_data

SIZE = Size(360, 480)
MODES = (Preset.ORIGINAL, Preset.FAST)
METHODS = tuple(CalibrationMethod)


def main() -> int:
    """Measure, print, record after every mode."""
    parser = make_parser(__doc__)
    parser.add_argument("--modes", nargs="+", type=Preset, choices=MODES, default=list(MODES))
    parser.add_argument("--methods", nargs="+", type=CalibrationMethod, choices=METHODS, default=list(METHODS))
    parser.add_argument("--images", type=int, default=64, help="calibration images")
    parser.add_argument("--limit", type=int, help="measure on the first so many frames, and do not record")
    arguments = parser.parse_args()
    if missing := camvid_data.explain_missing():
        parser.error(missing)
    dataset = parse_dataset(f"camvid:{camvid_data.FRAMES}", arguments.limit)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for mode in arguments.modes:
            found = measure(mode, arguments.methods, arguments.images, dataset, Path(folder))
            rows += found
            if arguments.limit is None:
                record_rows("calibration_methods", found, sort_key, {"size": str(SIZE)})
    SECTION.show(rows)
    return 0


def sort_key(row: Row) -> tuple[int, int, int]:
    """Return the place of a row: by mode, then images, then method."""
    return MODES.index(row["mode"]), row["calibration_images"], METHODS.index(row["method"])


def measure(
    mode: Preset, methods: list[CalibrationMethod], images: int, dataset: AnyDataset, folder: Path
) -> list[Row]:
    """Return a row per method for one mode."""
    graph = make_graph(mode, folder)
    options = CalibrationOptions(f"camvid:{camvid_data.FRAMES}#train", images)
    print(f"{mode}: calibrating on {images} images, then fp32", file=sys.stderr)
    calibrations = compare_methods(graph, options, methods)
    bench = CandidateBench(graph, TargetName.CPU, None)
    with bench.open(None) as session:
        reference = Evaluator[Any, Any](dataset).keep(Predictor(session))
    rows = []
    for method, calibration in calibrations.items():
        print(f"{mode}: {method}", file=sys.stderr)
        with bench.open(recipe_of(graph, calibration.ranges.thresholds())) as session:
            found = reference.compare(Predictor(session))
        rows.append(
            {
                "mode": str(mode),
                "method": str(method),
                "calibration_images": calibration.ranges.images.count,
                "images": found.evaluation.samples,
                "miou_fp32": found.reference.headline.value,
                "miou_int8": found.evaluation.headline.value,
                "agreement": found.agreement[0].value,
            }
        )
        SECTION.show(rows[-1:])
    return rows


def make_graph(mode: Preset, folder: Path) -> GraphFile:
    """Export one mode."""
    path = folder / f"{mode}.onnx"
    run_export(ExportOptions(path, CheckpointSource(camvid_data.WEIGHTS), mode=str(mode), size=SIZE))
    return read_graph(path)


def recipe_of(graph: GraphFile, thresholds: Mapping[str, float]) -> PrecisionRecipe:
    """Return the recipe with every layer of the default one in INT8."""
    layers = frozenset(layer.name for layer in layers_of(graph.model) if layer.kind in QUANTIZABLE_KINDS)
    return PrecisionRecipe(Precision.INT8, ranges=thresholds, layers=layers)


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per mode, method and number of images."""
    rows = [
        (
            row["mode"],
            row["method"],
            str(row["calibration_images"]),
            format_percent(row["miou_fp32"]),
            format_percent(row["miou_int8"]),
            f"{100 * (row['miou_int8'] - row['miou_fp32']):+.2f}",
            format_agreement(row["agreement"]),
        )
        for row in recorded
    ]
    numbers = number_columns("calibration images", "mIoU fp32", "mIoU int8", "points", "pixels as fp32")
    return [Table("", (*text_columns("mode", "method"), *numbers), tuple(rows))]


SECTION = Section(
    "Calibration methods",
    "SegFormer-B0 trained on CamVid at {size}, every convolution and linear layer but the depthwise ones in INT8, "
    "on ONNX Runtime. Ranges from images of the training split, spread evenly; mIoU of the validation split, "
    "beside the float32 graph in the same mode.",
    make_tables,
    ("onnx", "onnxruntime"),
)


if __name__ == "__main__":
    raise SystemExit(main())
