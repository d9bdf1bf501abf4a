"""The kernels on a GPU, without TensorRT: whether they are right there, and how long each takes.

python -m benchmarks.measure.gpu_kernels                                  on a machine with a GPU
python -m benchmarks.measure.gpu_kernels --report FILE --commit COMMIT    written there by `selftest --kernels --json`
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.arguments import make_parser
from benchmarks.recording import Row, record
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.report.tables import Table

_SELFTEST = [sys.executable, "-m", "segpp_deploy", "selftest", "--kernels", "--json", "--quiet"]


def main() -> int:
    """Record the report of a self-test; 1 if a check failed in it."""
    parser = make_parser(__doc__)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--commit", help="what was checked out where the report was written")
    arguments = parser.parse_args()
    report = json.loads(arguments.report.read_text(encoding="utf-8") if arguments.report else _run())
    checks, timings = report["checks"], report["timings"]
    facts: dict[str, Any] = {
        "where": report["where"],
        "checks": len(checks),
        "failed": [check for check in checks if not check["passed"]],
        "copy_gb_s": round(timings["copy_gb_s"]),
        "environment": report["environment"],
    }
    if arguments.commit:
        facts["commit"] = arguments.commit
    record("gpu_kernels", {**facts, "rows": [_round(row) for row in timings["kernels"]]})
    SECTION.show(timings["kernels"])
    return int(bool(facts["failed"]))


def _run() -> str:
    return subprocess.run(_SELFTEST, stdout=subprocess.PIPE, text=True, check=False).stdout


def _round(row: Row) -> Row:
    return {key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()}


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per op and shape."""
    rows = [
        (
            row["op"],
            row["case"],
            f"{row['warm_us']:.1f}",
            f"{row['cold_us']:.1f}",
            f"{row['bytes_moved'] / 1e6:.2f}",
            f"{row['roofline_us']:.1f}",
        )
        for row in recorded
    ]
    numbers = number_columns("warm, us", "cold, us", "MB", "bytes at copy speed, us")
    return [Table("", (*text_columns("op", "case"), *numbers), tuple(rows))]


SECTION = Section(
    "Kernels on a GPU",
    "`segpp-deploy selftest --kernels` on {where}: {checks} checks in float32 and float16, all passed, each the same "
    "in 100 runs and in a CUDA graph. Median times of a call in float16 with the tensors in the L2 cache (`warm`) and "
    "after it was flushed (`cold`), at every side that `hq` and `fast` merge in B0 and B5 at 1024x1024 and 1024x2048, "
    "beside the time that the tensors alone take at the speed of a copy, {copy_gb_s} GB/s. At these sizes launches and "
    "waiting decide, not memory: at this commit a match was two launches, a merge two, the others one.",
    make_tables,
    packages=("torch",),
)


if __name__ == "__main__":
    raise SystemExit(main())
