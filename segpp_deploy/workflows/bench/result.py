"""What the benchmark measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segpp_deploy import commands
from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.errors import CheckFailedError
from segpp_deploy.evaluation.environment import Environment
from segpp_deploy.evaluation.latency import InterleavedLatency, LatencyStats
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.runtimes.session import OperationTime
from segpp_deploy.workflows.bench.baseline import Comparison

_SHOWN_OPERATIONS = 12


@dataclass(frozen=True)
class EngineTiming:
    """One engine.

    Args:
        path: its file.
        manifest: its record.
        batch: images per call.
        threads: CPU threads it ran with.
        load_seconds: from the file to a session that is ready.
        latency_ms: of one call.
        peak_memory_bytes: of a fresh process that loads the engine and runs it.
        operations: mean time by operation, the longest first; None unless asked for.
        samples_ms: of every timed call, in their order.
        warmup_ms: of the calls before them.
    """

    path: Path
    manifest: Manifest
    batch: int
    threads: int
    load_seconds: float
    latency_ms: LatencyStats
    peak_memory_bytes: int
    operations: tuple[OperationTime, ...] | None
    samples_ms: tuple[float, ...] = ()
    warmup_ms: tuple[float, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        stats = asdict(self.latency_ms)
        metadata = self.manifest.metadata
        values = {
            "path": str(self.path),
            "mode": metadata.mode,
            "target": str(self.manifest.target),
            "precision": str(self.manifest.precision),
            "size": str(metadata.size),
            "batch": self.batch,
            "dynamic_batch": metadata.batch is None,
            "threads": self.threads,
            "load_seconds": self.load_seconds,
            "throughput_ips": stats.pop("throughput_ips"),
            "samples": stats.pop("samples"),
            "latency_ms": stats,
            "peak_memory_bytes": self.peak_memory_bytes,
            "samples_ms": [round(value, 4) for value in self.samples_ms],
            "warmup_ms": [round(value, 4) for value in self.warmup_ms],
        }
        if self.operations is not None:
            values["operations"] = [asdict(operation) for operation in self.operations]
        return values


@dataclass(frozen=True)
class BenchResult:
    """All engines, in the order they were named; their samples of one round were taken after one another."""

    engines: tuple[EngineTiming, ...]
    latency: InterleavedLatency
    environment: Environment
    comparison: Comparison | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be known to believe a comparison with an earlier measurement."""
        return () if self.comparison is None else self.comparison.notes

    def summary(self) -> str:
        """Return nothing: the tables say it all."""
        return ""

    def speedup(self, baseline: int, index: int) -> float:
        """Return how many times faster engine `index` is than engine `baseline`, per image (median over rounds)."""
        images = self.engines[index].batch / self.engines[baseline].batch
        return images * self.latency.speedup(str(baseline), str(index))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `bench --json`; `speedup` is over the first engine."""
        engines = [{**timing.to_dict(), "speedup": self.speedup(0, index)} for index, timing in enumerate(self.engines)]
        compared = {} if self.comparison is None else {"baseline": self.comparison.to_dict()}
        return {"engines": engines, "environment": asdict(self.environment), **compared}

    def require_no_regression(self) -> None:
        """Check that nothing is slower than in the baseline, where there is one.

        Raises:
            CheckFailedError: an engine is, beyond noise.
        """
        if self.comparison is not None and self.comparison.slower:
            raise CheckFailedError(
                f"{self.comparison.slower} of {len(self.engines)} engines are slower than in {self.comparison.path}.",
                "medians that are as before, within the scatter of the samples.",
                "Measure again on a quiet machine; if it stays, look at what changed: " + commands.option("profile"),
            )

    def tables(self) -> tuple[Table, ...]:
        """Return the timings as a table, and one more for every profiled engine."""
        headings = ("batch", "median ms", "p90", "p99", "images/s", "speed-up", "peak MiB", "samples")
        columns = (Column("engine", is_number=False), Column("mode", is_number=False), *map(Column, headings))
        rows = tuple(self._row(index, timing) for index, timing in enumerate(self.engines))
        names = tuple(str(timing.path) for timing in self.engines)
        return (
            Table("Latency", columns, rows),
            *(() if self.comparison is None else (self.comparison.table(names),)),
            *(_profile_table(timing) for timing in self.engines if timing.operations),
        )

    def _row(self, index: int, timing: EngineTiming) -> tuple[str, ...]:
        stats = timing.latency_ms
        return (
            str(timing.path),
            timing.manifest.metadata.mode,
            str(timing.batch),
            f"{stats.median:.1f}",
            f"{stats.p90:.1f}",
            f"{stats.p99:.1f}",
            f"{stats.throughput_ips:.2f}",
            f"{self.speedup(0, index):.2f}x",
            f"{timing.peak_memory_bytes / 2**20:.0f}",
            str(stats.samples),
        )


def _profile_table(timing: EngineTiming) -> Table:
    operations = timing.operations or ()
    total = sum(operation.milliseconds for operation in operations) or 1.0
    shown = [(entry.operation, entry.milliseconds, entry.count) for entry in operations[:_SHOWN_OPERATIONS]]
    rest = operations[_SHOWN_OPERATIONS:]
    if rest:
        shown.append(("others", sum(entry.milliseconds for entry in rest), sum(entry.count for entry in rest)))
    rows = tuple(
        (name, f"{milliseconds:.2f}", f"{100 * milliseconds / total:.1f} %", str(count))
        for name, milliseconds, count in shown
    )
    columns = (Column("operation", is_number=False), Column("ms"), Column("share"), Column("nodes"))
    return Table(f"Operations of {timing.path} (profiled)", columns, rows)
