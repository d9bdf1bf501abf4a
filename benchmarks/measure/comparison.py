"""`compare` on CamVid, B0: the published modes on two CPU targets in two precisions, and how long that takes.

All 101 frames of the validation split, one command; the page and its pictures are part of it.

    python -m benchmarks.measure.comparison               a quarter of an hour; recorded
    python -m benchmarks.measure.comparison --limit 3     a quick look; nothing is recorded
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.arguments import make_parser
from benchmarks.recording import Row, record
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import Precision, Size
from segpp_deploy.evaluation.memory import high_water_bytes
from segpp_deploy.model.weights.source import CheckpointSource
from segpp_deploy.report.numbers import format_agreement, format_percent
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.compare.options import CompareOptions
from segpp_deploy.workflows.compare.result import CompareResult, RowStatus
from segpp_deploy.workflows.compare.run import run_compare
from tests.support import camvid_data

SIZE = Size(360, 480)
MOST_SECONDS = 25 * 60
MOST_PAGE_BYTES = 5_000_000
KEPT = (
    "mode",
    "target",
    "precision",
    "status",
    "value",
    "delta",
    "agreement",
    "latency_ms",
    "latency_p95_ms",
    "end_to_end_ms",
    "speedup",
    "peak_memory_bytes",
    "engine_bytes",
)


def main() -> int:
    """Compare, print, record; 1 if it takes too long, the page is too large or a row failed, 2 without the data."""
    parser = make_parser(__doc__)
    parser.add_argument("--limit", type=int, help="use the first so many frames, and do not record")
    arguments = parser.parse_args()
    if missing := camvid_data.explain_missing():
        parser.error(missing)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        result = compare(Path(folder), arguments.limit)
        seconds = time.monotonic() - began
        page_bytes = result.html.stat().st_size
    rows: list[Row] = [{name: values[name] for name in KEPT} for values in map(result.row_to_dict, result.rows)]
    passed = seconds <= MOST_SECONDS and page_bytes < MOST_PAGE_BYTES
    for row in rows:
        row["passed"] = passed and row["status"] != RowStatus.FAILED
    SECTION.show(rows)
    facts = {
        "size": str(SIZE),
        "images": result.images,
        "iterations": result.iterations,
        "minutes": round(seconds / 60, 1),
        "page_megabytes": round(page_bytes / 1e6, 1),
        "peak_mebibytes": high_water_bytes() >> 20,
    }
    print(facts)
    if arguments.limit is None:
        record("comparison", {**facts, "rows": rows})
    return int(not all(row["passed"] for row in rows))


def compare(folder: Path, limit: int | None) -> CompareResult:
    """Compare the modes that are compared where nobody names any."""
    return run_compare(
        CompareOptions(
            (CheckpointSource(camvid_data.WEIGHTS),),
            f"camvid:{camvid_data.FRAMES}",
            folder,
            sizes=(SIZE,),
            targets=(TargetName.CPU, TargetName.OPENVINO),
            precisions=(Precision.FP32, Precision.BF16),
            limit=limit,
        )
    )


def make_tables(rows: list[Row]) -> list[Table]:
    """Return one line for each row that could be."""
    columns = (
        *text_columns("mode", "target", "precision"),
        *number_columns("mIoU", "Δ original", "agreement", "ms", "p95", "end to end", "speed-up", "peak MiB"),
    )
    lines = tuple(
        (
            row["mode"],
            row["target"],
            row["precision"],
            format_percent(row["value"]),
            f"{row['delta']:+.2f}",
            format_agreement(row["agreement"]),
            f"{row['latency_ms']:.0f}",
            f"{row['latency_p95_ms']:.0f}",
            f"{row['end_to_end_ms']:.0f}",
            f"{row['speedup']:.2f}",
            f"{row['peak_memory_bytes'] / 2**20:.0f}",
        )
        for row in rows
        if row["status"] == RowStatus.DONE
    )
    return [Table("", columns, lines)]


SECTION = Section(
    "The modes beside each other",
    "`compare` on {images} frames of CamVid's validation split, B0, {size}, {iterations} timed calls of each engine in "
    "turns: {minutes} minutes for all of it, {peak_mebibytes} MiB at most, and a page of {page_megabytes} MB. "
    "Agreement is with PyTorch in the same mode, on three frames; speed-ups are over `original` on `cpu` in fp32.",
    make_tables,
    ("torch", "onnxruntime", "openvino"),
    names_cpu_features=True,
)


if __name__ == "__main__":
    raise SystemExit(main())
