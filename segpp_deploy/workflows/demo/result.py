"""What the demo measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.config import Size
from segpp_deploy.report.numbers import format_agreement, format_percent
from segpp_deploy.report.tables import Column, Table


@dataclass(frozen=True)
class DemoRow:
    """One mode.

    Args:
        mode: its name.
        attention_pairs: query-key pairs over all layers, as a fraction of the unmerged model's.
        miou: on the held-out scenes, 0 .. 1.
        torch_agreement: fraction of pixels with the class that the fp32 PyTorch model of the same mode gives.
        latency_ms: median of one call.
        speedup: over the first mode, from calls that took turns.
        peak_memory_bytes: of a fresh process that loads the engine and runs it.
    """

    mode: str
    attention_pairs: float
    miou: float
    torch_agreement: float
    latency_ms: float
    speedup: float
    peak_memory_bytes: int


@dataclass(frozen=True)
class DemoResult:
    """What `run_demo` measured and where the report lies."""

    model: str
    size: Size
    images: int
    torch_images: int
    iterations: int
    rows: tuple[DemoRow, ...]
    environment: Mapping[str, Any]
    html: Path

    def to_dict(self) -> dict[str, Any]:
        """Return the content of report.json."""
        return {
            "model": self.model,
            "size": str(self.size),
            "images": self.images,
            "torch_images": self.torch_images,
            "iterations": self.iterations,
            "rows": [asdict(row) for row in self.rows],
            "environment": dict(self.environment),
            "report": str(self.html),
        }

    def table(self) -> Table:
        """Return the accuracy x latency table."""
        return demo_table(self.rows)


def demo_table(rows: Sequence[DemoRow]) -> Table:
    """Return the rows as text; differences are in percentage points to the first row."""
    columns = (
        Column("mode", is_number=False),
        Column("attention pairs"),
        Column("mIoU"),
        Column("Δ points"),
        Column("pixels as PyTorch"),
        Column("latency"),
        Column("speed-up"),
        Column("peak memory"),
    )
    cells = tuple(
        (
            row.mode,
            format_percent(row.attention_pairs, 0),
            format_percent(row.miou),
            f"{100 * (row.miou - rows[0].miou):+.2f}",
            format_agreement(row.torch_agreement),
            f"{row.latency_ms:.0f} ms",
            f"{row.speedup:.2f}x",
            f"{row.peak_memory_bytes / 2**20:.0f} MiB",
        )
        for row in rows
    )
    return Table("Accuracy and latency by merge mode", columns, cells)
