"""Peak memory of CPU engines on large pictures: everything a process needs that loads an engine and runs it.

Random weights; B5 with the 768-channel head of the Hugging Face models. Uint8 pictures in, labels out, 1024x2048.

    python -m benchmarks.measure.memory    (a quarter of an hour)
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arguments import parse_parts
from benchmarks.recording import Row, record
from benchmarks.section import Section, number_columns, text_columns
from segpp_deploy.config import Arch, InputKind, OutputKind, Preset, Size
from segpp_deploy.evaluation.worker import start_worker
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.report.tables import Table
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.run import run_build
from tests.support.exporting import export
from tests.support.random_models import random_model

SIZE = Size(1024, 2048)
CLASSES = 19
RUNS = 2  # the second run may allocate what the first one did not
B5_FAST_MOST_BYTES = 16 << 30  # a machine of 24 GB has room


@dataclass(frozen=True)
class Case:
    """An engine to measure, and what it may take."""

    arch: Arch
    dialect: Dialect
    head_channels: int
    mode: Preset
    most_bytes: int | None = None


CASES = (
    Case(Arch.B0, Dialect.MMSEG, 256, Preset.FAST),
    Case(Arch.B5, Dialect.HUGGING_FACE, 768, Preset.FAST, B5_FAST_MOST_BYTES),
    Case(Arch.B5, Dialect.HUGGING_FACE, 768, Preset.ORIGINAL),
)


def main() -> int:
    """Measure, print, record; 1 if an engine takes more than it may."""
    parse_parts(__doc__)
    rows = [measure(case) for case in CASES]
    SECTION.show(rows)
    record("memory", {"size": str(SIZE), "target": str(TargetName.CPU), "runs": RUNS, "rows": rows})
    return int(not all(row["passed"] for row in rows))


def measure(case: Case) -> Row:
    """Build one engine and run it in a process of its own."""
    print(case.arch, case.mode, file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(case, Path(folder))
        peak_bytes = run_engine(engine)
    return {
        "arch": str(case.arch),
        "head_channels": case.head_channels,
        "mode": str(case.mode),
        "peak_bytes": peak_bytes,
        "most_bytes": case.most_bytes,
        "passed": case.most_bytes is None or peak_bytes <= case.most_bytes,
    }


def make_engine(case: Case, folder: Path) -> Path:
    """Export and build."""
    model = random_model(case.dialect, case.arch, CLASSES, case.head_channels)
    graph = folder / "m.onnx"
    export(model, case.mode, graph, SIZE, input_kind=InputKind.UINT8, output_kind=OutputKind.LABELS)
    return run_build(graph, folder / "m.engine", BuildOptions(TargetName.CPU)).path


def run_engine(engine: Path) -> int:
    """Load and run an engine in a process of its own, and return the most memory that process had."""
    with start_worker(engine, SessionOptions()) as worker:
        for _ in range(RUNS):
            worker.run_ms()
        return worker.peak_memory_bytes()


def make_tables(recorded: list[Row]) -> list[Table]:
    """A row per engine."""
    rows = [
        (
            f"{row['arch'].upper()}, {row['head_channels']}-channel head",
            row["mode"],
            f"{row['peak_bytes'] / 2**30:.2f}",
            "" if row["most_bytes"] is None else f"{row['most_bytes'] / 2**30:.0f}",
        )
        for row in recorded
    ]
    columns = (*text_columns("model", "mode"), *number_columns("peak GiB", "at most"))
    return [Table("", columns, tuple(rows))]


SECTION = Section(
    "Peak memory",
    "The most resident memory of a process that loads an engine for the target `{target}` and runs it {runs} times "
    "at {size}, batch 1: interpreter, libraries, weights and activations.",
    make_tables,
    ("onnxruntime",),
)


if __name__ == "__main__":
    raise SystemExit(main())
