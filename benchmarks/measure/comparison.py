"""`compare` of the modes on CamVid, the procedural scenes and the procedural people, and how long that takes.

One command for each, on two CPU targets in two precisions; the page and its pictures are part of it.

    python -m benchmarks.measure.comparison                      (half an hour)
    python -m benchmarks.measure.comparison --subject camvid     one of them
    python -m benchmarks.measure.comparison --limit 3            a quick look; nothing is recorded
    python -m benchmarks.measure.comparison --keep reports       also leaves the reports there
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arguments import add_parts, make_parser
from benchmarks.recording import Row, record_rows
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import Precision, Preset, Size
from segpp_deploy.evaluation.memory import high_water_bytes
from segpp_deploy.model.weights.source import CardSource, CheckpointSource, ModelSource
from segpp_deploy.report.numbers import format_agreement, format_percent
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.workflows.compare.options import MODES, CompareOptions
from segpp_deploy.workflows.compare.result import CompareResult, RowStatus
from segpp_deploy.workflows.compare.run import run_compare
from tests.support import camvid_data


@dataclass(frozen=True)
class Subject:
    """A model and the pictures it is judged on.

    Args:
        source: the model.
        data: the data set.
        size: input size in pixels.
        missing: says what is not here, or "".
        finer: a score besides the headline that the table shows.
    """

    source: ModelSource
    data: str
    size: Size
    missing: Callable[[], str] = lambda: ""
    finer: str = ""


SUBJECTS = {
    "camvid": Subject(
        CheckpointSource(camvid_data.WEIGHTS),
        f"camvid:{camvid_data.FRAMES}",
        Size(360, 480),
        camvid_data.explain_missing,
    ),
    "scenes": Subject(CardSource("segformer_b0_scenes"), "scenes:40", Size(512, 1024)),
    "people": Subject(CardSource("segformer_b0_people"), "people:120", Size(256, 192), finer="pck_0.05"),
}
MOST_SECONDS = 25 * 60
MOST_PAGE_BYTES = 5_000_000
KEPT = (
    "mode",
    "target",
    "precision",
    "status",
    "reason",
    "metric",
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
TARGETS = (TargetName.CPU, TargetName.OPENVINO)
PRECISIONS = (Precision.FP32, Precision.BF16)


def main() -> int:
    """Compare, print, record; 1 if one takes too long, a page is too large or a row failed, 2 without the data."""
    parser = make_parser(__doc__)
    parser.add_argument("--limit", type=int, help="use the first so many samples, and do not record")
    parser.add_argument("--keep", type=Path, help="where the reports stay")
    add_parts(parser, subject=SUBJECTS)
    arguments = parser.parse_args()
    passed = True
    for name in arguments.subject:
        if missing := SUBJECTS[name].missing():
            parser.error(missing)
        rows = measure(name, arguments.limit, arguments.keep)
        SECTION.show(rows)
        passed = passed and all(row["passed"] for row in rows)
        if arguments.limit is None:
            record_rows("comparison", rows, row_key, {})
    return int(not passed)


def measure(name: str, limit: int | None, keep: Path | None) -> list[Row]:
    """Return the rows of one comparison, each with what is to be known of all of them."""
    subject = SUBJECTS[name]
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory()) if keep is None else keep
        began = time.monotonic()
        result = compare(subject, Path(folder) / name, limit)
        seconds = time.monotonic() - began
        page_bytes = result.html.stat().st_size
    is_small = seconds <= MOST_SECONDS and page_bytes < MOST_PAGE_BYTES
    facts = {
        "subject": name,
        "size": str(subject.size),
        "images": result.images,
        "iterations": result.iterations,
        "minutes": round(seconds / 60, 1),
        "page_megabytes": round(page_bytes / 1e6, 1),
        "peak_mebibytes": high_water_bytes() >> 20,
    }
    return [
        {
            **facts,
            **{kept: values[kept] for kept in KEPT},
            "finer": values["scores"].get(subject.finer),
            "passed": is_small and values["status"] != RowStatus.FAILED,
        }
        for values in map(result.row_to_dict, result.rows)
    ]


def compare(subject: Subject, folder: Path, limit: int | None) -> CompareResult:
    """Compare the modes that are compared where nobody names any."""
    return run_compare(
        CompareOptions(
            (subject.source,),
            subject.data,
            folder,
            sizes=(subject.size,),
            targets=TARGETS,
            precisions=PRECISIONS,
            limit=limit,
        )
    )


def row_key(row: Row) -> tuple[int, ...]:
    """Return the place of a row."""
    return (
        list(SUBJECTS).index(row["subject"]),
        MODES.index(Preset(row["mode"])),
        TARGETS.index(TargetName(row["target"])),
        PRECISIONS.index(Precision(row["precision"])),
    )


def make_tables(rows: list[Row]) -> list[Table]:
    """Return a table for each subject, one line for each row that could be, and why the others could not."""
    return [
        table
        for name in dict.fromkeys(row["subject"] for row in rows)
        for table in _tables_of(name, [row for row in rows if row["subject"] == name])
    ]


def _tables_of(name: str, rows: list[Row]) -> list[Table]:
    subject, first = SUBJECTS[name], rows[0]
    metric = next((row["metric"] for row in rows if row["metric"]), "")
    columns = (
        *text_columns("mode", "target", "precision"),
        *number_columns(metric, *(["PCK@0.05"] if subject.finer else []), "Δ original", "agreement"),
        *number_columns("ms", "p95", "end to end", "speed-up", "peak MiB"),
    )
    lines = tuple(
        (
            row["mode"],
            row["target"],
            row["precision"],
            format_percent(row["value"]),
            *([format_percent(row["finer"])] if subject.finer else []),
            f"{row['delta']:+.2f}",
            format_agreement(row["agreement"]),
            f"{row['latency_ms']:.1f}",
            f"{row['latency_p95_ms']:.1f}",
            f"{row['end_to_end_ms']:.1f}",
            f"{row['speedup']:.2f}",
            f"{row['peak_memory_bytes'] / 2**20:.0f}",
        )
        for row in rows
        if row["status"] == RowStatus.DONE
    )
    title = (
        f"{name}: {first['images']} samples, {first['size']}, {first['iterations']} timed calls of each engine, "
        f"{first['minutes']} minutes, a page of {first['page_megabytes']} MB"
    )
    reasons = dict.fromkeys(
        (row["target"], row["precision"], row["reason"]) for row in rows if row["status"] != RowStatus.DONE
    )
    missing = Table(f"{name}: not measured", text_columns("target", "precision", "why"), tuple(reasons))
    return [Table(title, columns, lines), *([missing] if reasons else [])]


SECTION = Section(
    "The modes beside each other",
    "`compare`, one command for each table, B0. Engines take turns; agreement is with PyTorch in the same mode, on "
    "three samples; end to end is from the picture's file to the answer in its geometry; speed-ups are over `original` "
    "on `cpu` in fp32. `camvid` is the validation split, `scenes` and `people` are procedural and were not trained on.",
    make_tables,
    ("torch", "onnxruntime", "openvino"),
    names_cpu_features=True,
)


if __name__ == "__main__":
    raise SystemExit(main())
