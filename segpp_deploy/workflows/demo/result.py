"""What the demo measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.config import Size, TaskName
from segpp_deploy.report.numbers import format_agreement, format_percent, format_score
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.runtimes.registry import TARGETS
from segpp_deploy.tuning.measurement import Measurement


@dataclass(frozen=True)
class DemoResult:
    """What `run_demo` measured and where the report lies; `notes`: which target and precisions were chosen, and why."""

    model: str
    size: Size
    images: int
    torch_images: int
    iterations: int
    rows: tuple[Measurement, ...]
    environment: Mapping[str, Any]
    html: Path
    notes: tuple[str, ...] = ()
    task: TaskName = TaskName.SEG

    def to_dict(self) -> dict[str, Any]:
        """Return the content of report.json."""
        return {
            "task": str(self.task),
            "model": self.model,
            "size": str(self.size),
            "images": self.images,
            "torch_images": self.torch_images,
            "iterations": self.iterations,
            "rows": [row.to_dict() for row in self.rows],
            "notes": list(self.notes),
            "environment": dict(self.environment),
            "report": str(self.html),
        }

    def tables(self) -> tuple[Table, ...]:
        """Return the accuracy x latency table."""
        return (measurements_table(self.rows),)

    def summary(self) -> str:
        """Say where the report lies."""
        return f"Report: {self.html}"


def measurements_table(rows: Sequence[Measurement]) -> Table:
    """Return measurements of merge modes as text; differences are in percentage points to the first row."""
    columns = (
        Column("mode", is_number=False),
        Column("computed by", is_number=False),
        Column("attention pairs"),
        Column(rows[0].headline.name),
        Column("Δ points"),
        Column(f"{rows[0].agreement.name} with PyTorch"),
        Column("latency"),
        Column("speed-up"),
        Column("peak memory"),
    )
    cells = tuple(
        (
            row.candidate.mode,
            f"{TARGETS[row.candidate.target].runtime}, {row.candidate.precision}",
            format_percent(row.attention_pairs, 0),
            format_score(row.headline),
            f"{row.delta:+.2f}",
            format_agreement(row.agreement.value),
            f"{row.latency_ms:.0f} ms",
            f"{row.speedup:.2f}x",
            f"{row.peak_memory_bytes / 2**20:.0f} MiB",
        )
        for row in rows
    )
    return Table("Accuracy and latency by merge mode", columns, cells)
