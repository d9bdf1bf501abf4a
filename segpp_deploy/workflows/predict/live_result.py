"""What came of a camera or a stream."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.data.live_reader import LiveCount
from segpp_deploy.evaluation.latency import LatencyStats
from segpp_deploy.report.tables import Column, Table


@dataclass(frozen=True)
class LiveResult:
    """What was seen.

    Args:
        source: the camera or stream.
        overlay: the recording; None where none was asked for.
        count: frames that came, and what became of them.
        looked_at: frames that the engine saw.
        seconds: all of it.
        lag_ms: from a frame's arrival (decoded) to what was found in it, of the last ten thousand; None without frames.
        notes: what the user should know besides.
    """

    source: str
    overlay: Path | None
    count: LiveCount
    looked_at: int
    seconds: float
    lag_ms: LatencyStats | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `predict --json` for a live source."""
        return {
            "source": self.source,
            "overlay": self.overlay,
            **asdict(self.count),
            "looked_at": self.looked_at,
            "seconds": self.seconds,
            "throughput_ips": self.looked_at / self.seconds if self.seconds else 0.0,
            "lag_ms": None if self.lag_ms is None else {name: asdict(self.lag_ms)[name] for name in _LAGS},
            "notes": list(self.notes),
        }

    def tables(self) -> tuple[Table, ...]:
        """Return what happened to frames, and how far behind the engine was."""
        rate = self.looked_at / self.seconds if self.seconds else 0.0
        rows = [
            ("frames received", str(self.count.received)),
            ("frames dropped", str(self.count.dropped)),
            ("frames damaged", str(self.count.damaged)),
            ("frames looked at", str(self.looked_at)),
            ("a second", f"{rate:.2f}"),
            ("reconnects", str(self.count.reconnects)),
        ]
        if self.lag_ms is not None:
            rows += [(f"lag, {name}, ms", f"{asdict(self.lag_ms)[name]:.0f}") for name in _LAGS]
        return (Table(self.source, (Column("", is_number=False), Column("")), tuple(rows)),)

    def summary(self) -> str:
        """Return where it was recorded."""
        return "" if self.overlay is None else str(self.overlay)


_LAGS = ("median", "p95", "max")
