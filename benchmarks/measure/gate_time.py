"""How long `build-engine` takes to an int8 engine behind an accuracy gate, beside an earlier commit of this repository.

Both checkouts take turns, each in a process of its own, and build the demo model at 256x512 with recorded ranges,
judged on 24 scenes. The earlier commit wrote, hashed and loaded an engine file for every candidate.

    python -m benchmarks.measure.gate_time                     (a quarter of an hour)
    python -m benchmarks.measure.gate_time --rounds 1          a quick look; nothing is recorded
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.arguments import make_parser
from benchmarks.recording import ROOT, Row, record
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import Preset, Size
from segpp_deploy.evaluation.latency import take_turns
from segpp_deploy.model.weights.source import CardSource
from segpp_deploy.report.tables import Table
from segpp_deploy.workflows.export.options import ExportOptions
from segpp_deploy.workflows.export.run import run_export

EARLIER = "85f0400"
"""The last commit before candidates stayed in memory."""

DEMO = "segformer_b0_scenes"
MODE = Preset.FAST
SIZE = Size(256, 512)
SCENES = 24
POINTS = 0.5
ROUNDS = 3
MOST = 2 / 3
BEFORE, NOW = "earlier commit", "this commit"


def main() -> int:
    """Measure, print, record; 1 if the bar is missed, 2 without the earlier commit."""
    parser = make_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"builds of each; fewer than {ROUNDS} are no record")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        earlier = folder / "earlier"
        added = ["git", "-C", str(ROOT), "worktree", "add", "--detach", str(earlier), EARLIER]
        if subprocess.run(added, check=False).returncode:
            parser.error(f"commit {EARLIER} is not in this clone; fetch its history")
        try:
            rows = measure(earlier, folder, arguments.rounds)
        finally:
            subprocess.run(["git", "-C", str(ROOT), "worktree", "remove", "--force", str(earlier)], check=True)
    SECTION.show(rows)
    if arguments.rounds >= ROUNDS:
        facts = {"earlier": EARLIER, "rounds": arguments.rounds, "scenes": SCENES, "points": POINTS, "size": str(SIZE)}
        record("gate_time", {**facts, "most": round(MOST, 3), "rows": rows})
    return int(not all(row["passed"] for row in rows))


def measure(earlier: Path, folder: Path, rounds: int) -> list[Row]:
    """Return a row for each of the two."""
    graph = run_export(ExportOptions(folder / "model.onnx", CardSource(DEMO), mode=str(MODE), size=SIZE)).path
    timers = {name: partial(build_ms, checkout, graph) for name, checkout in ((BEFORE, earlier), (NOW, ROOT))}
    measured = take_turns(timers, rounds, warmup=0)
    rows = []
    for name in timers:
        stats = measured.stats(name)
        ratio = 1 / measured.speedup(BEFORE, name)
        rows.append(
            {
                "subject": name,
                "best_s": stats.min / 1000,
                "median_s": stats.median / 1000,
                "ratio_best": stats.min / measured.stats(BEFORE).min,
                "ratio_median": ratio,
                "passed": name == BEFORE or ratio <= MOST,
            }
        )
    return rows


def build_ms(checkout: Path, graph: Path) -> float:
    """Build with the package of a checkout and return the milliseconds that took, starting the process included."""
    print(checkout.name, file=sys.stderr)
    ranges = ROOT / "calibration" / f"{DEMO}.{MODE}.yaml"
    words = ["build-engine", graph, "--target", "cpu", "--precision", "int8", "--calibration", ranges, "--quiet"]
    words += ["--accuracy-gate", POINTS, "--gate-data", f"scenes:{SCENES}", "-o", graph.with_suffix(".engine")]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    start = time.perf_counter()
    command = [sys.executable, "-m", "segpp_deploy", *map(str, words)]
    subprocess.run(command, cwd=checkout, env=environment, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row for each commit."""
    rows = [
        (
            row["subject"],
            f"{row['best_s']:.1f}",
            f"{row['median_s']:.1f}",
            f"{row['ratio_best']:.2f}",
            f"{row['ratio_median']:.2f}",
        )
        for row in recorded
    ]
    numbers = number_columns("best s", "median s", "of the earlier, best", "median")
    return [Table("", (*text_columns("build-engine of"), *numbers), tuple(rows))]


SECTION = Section(
    "Building behind an accuracy gate",
    "SegFormer-B0, mode fast, {size}, in int8 for ONNX Runtime, judged on {scenes} scenes with {points} points to "
    "lose: whole processes of this commit and of `{earlier}`, which wrote a file for every candidate, in turns "
    "({rounds} rounds). Bar: {most} of the earlier time.",
    make_tables,
    ("onnx", "onnxruntime"),
    names_cpu_features=True,
)


if __name__ == "__main__":
    raise SystemExit(main())
