"""CamVid, B0, CPU engines: every mode against PyTorch in the same mode, and against the engine `original`.

Through the public workflow: export (uint8 picture to labels, 360x480), build, validate on the validation split.

    python -m benchmarks.measure.camvid              all 101 frames (a quarter of an hour)
    python -m benchmarks.measure.camvid --limit 3    a quick look; nothing is recorded
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

from benchmarks.arguments import make_parser
from benchmarks.recording import Machines, Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import Preset, Size
from segpp_deploy.model.weights.source import CheckpointSource
from segpp_deploy.report.numbers import format_agreement, format_percent
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export
from segpp_deploy.workflows.validate.options import ValidateOptions
from segpp_deploy.workflows.validate.result import ReferenceComparison
from segpp_deploy.workflows.validate.run import run_validate
from tests.support import camvid_data

SIZE = Size(360, 480)
MODES: tuple[Preset, ...] = tuple(mode for mode in Preset if mode is not Preset.N1D)
LEAST_AGREEMENT: dict[Preset, float] = {mode: 0.999 if mode is Preset.ORIGINAL else 0.995 for mode in MODES}
MOST_MIOU_DIFFERENCE = {Preset.ORIGINAL: 0.0005}
MOST_MIOU_LOST = {Preset.HQ_PLUS: 0.0015, Preset.FAST_PLUS: 0.0015}
"""Below `original`: weighted merging is there to lose nothing."""


PUBLISHED_POINTS = {Preset.HQ: -0.08, Preset.FAST: -0.35, Preset.POOL_2X2: -0.43, Preset.DOWNSAMPLE: -5.1}
"""What the modes change in mIoU of a B5 on Cityscapes, in points (Kienzle et al., SegFormer++, 2024)."""


def main() -> int:
    """Measure, print, record after every mode; 1 if a mode misses its bar, 2 without the data."""
    parser = make_parser(__doc__)
    parser.add_argument("--modes", nargs="+", choices=list(map(str, MODES)), default=list(map(str, MODES)))
    parser.add_argument("--limit", type=int, help="use the first so many frames, and do not record")
    arguments = parser.parse_args()
    if missing := camvid_data.explain_missing():
        parser.error(missing)
    facts = {"size": str(SIZE), "target": str(TargetName.CPU)}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        original = make_engine(Preset.ORIGINAL, Path(folder))
        for mode in map(Preset, arguments.modes):
            print(mode, file=sys.stderr)
            rows.append(measure(mode, original, Path(folder), arguments.limit))
            if arguments.limit is None:
                record_rows("camvid", rows[-1:], row_key, facts, machines=Machines.LAST)
    SECTION.show(rows)
    return int(not all(row["passed"] for row in rows))


def make_engine(mode: Preset, folder: Path) -> Path:
    """Export and build one mode, unless that is done."""
    engine = folder / f"{mode}.engine"
    if not engine.exists():
        graph = folder / f"{mode}.onnx"
        run_export(ExportOptions(graph, CheckpointSource(camvid_data.WEIGHTS), mode=str(mode), size=SIZE))
        run_build(graph, engine, BuildOptions(TargetName.CPU))
    return engine


def measure(mode: Preset, original: Path, folder: Path, limit: int | None) -> Row:
    """Validate one mode twice: against PyTorch, and against the engine `original`."""
    engine, data = make_engine(mode, folder), f"camvid:{camvid_data.FRAMES}"
    validation = run_validate(ValidateOptions(engine, data, limit))
    torch_reference = _required(validation.reference)
    beside_original = _required(run_validate(ValidateOptions(engine, data, limit, against=original)).reference)
    found = validation.evaluation
    agreement, miou = torch_reference.agreement[0].value, torch_reference.headline.value
    difference = abs(found.headline.value - miou)
    lost = beside_original.headline.value - found.headline.value
    return {
        "mode": str(mode),
        "images": found.samples,
        "miou": found.headline.value,
        "pixel_accuracy": found.further[0].value,
        "torch_miou": miou,
        "agreement_with_torch": agreement,
        "agreement_with_original": beside_original.agreement[0].value,
        "least_agreement_with_torch": LEAST_AGREEMENT[mode],
        "most_miou_difference": MOST_MIOU_DIFFERENCE.get(mode),
        "most_miou_lost": MOST_MIOU_LOST.get(mode),
        "passed": agreement >= LEAST_AGREEMENT[mode]
        and difference <= MOST_MIOU_DIFFERENCE.get(mode, 1.0)
        and lost <= MOST_MIOU_LOST.get(mode, 1.0),
    }


def row_key(row: Row) -> int:
    """Identify a row, in the order in which rows are listed."""
    return MODES.index(row["mode"])


def _required(reference: ReferenceComparison | None) -> ReferenceComparison:
    assert reference is not None
    return reference


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per mode."""
    original = next((row["miou"] for row in recorded if row["mode"] == Preset.ORIGINAL), math.nan)
    rows = [
        (
            row["mode"],
            format_percent(row["miou"]),
            f"{100 * (row['miou'] - original):+.2f}",
            _published(Preset(row["mode"])),
            format_percent(row["torch_miou"]),
            format_percent(row["pixel_accuracy"]),
            format_agreement(row["agreement_with_torch"]),
            format_agreement(row["least_agreement_with_torch"]),
            format_agreement(row["agreement_with_original"]),
        )
        for row in recorded
    ]
    headings = (
        "mIoU",
        "Δ points",
        "Δ published",
        "PyTorch's mIoU",
        "pixel accuracy",
        "pixels as PyTorch",
        "at least",
        "pixels as `original`",
    )
    return [Table("", (*text_columns("mode"), *number_columns(*headings)), tuple(rows))]


def _published(mode: Preset) -> str:
    return f"{PUBLISHED_POINTS[mode]:+.2f}" if mode in PUBLISHED_POINTS else ""


SECTION = Section(
    "Accuracy on CamVid",
    "SegFormer-B0 trained on CamVid, its whole validation split at {size}. Engines for the target `{target}`, "
    "beside the unfolded float32 PyTorch model in the same mode, and beside the engine `original`. The published "
    "differences are of a B5 on Cityscapes at 1024x1024 with sliding windows: a deeper model, and larger pictures with "
    "more tokens that are alike.",
    make_tables,
    ("torch", "onnx", "onnxruntime"),
)


if __name__ == "__main__":
    raise SystemExit(main())
