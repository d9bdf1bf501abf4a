"""What the benchmark measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from segpp_deploy import commands
from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.errors import CheckFailedError
from segpp_deploy.evaluation.environment import Environment
from segpp_deploy.evaluation.latency import InterleavedLatency, LatencyStats
from segpp_deploy.evaluation.sustained import SustainedRun
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.runtimes.session import Profile
from segpp_deploy.workflows.bench.baseline import Comparison
from segpp_deploy.workflows.bench.power import PowerState
from segpp_deploy.workflows.bench.sustained import describe_slowdown, sustained_table

_SHOWN_OPERATIONS = 12


@dataclass(frozen=True)
class Samples:
    """Calls that were timed.

    Args:
        latency_ms: their summary.
        samples_ms: of every timed call, in their order.
        warmup_ms: of the calls before them.
    """

    latency_ms: LatencyStats
    samples_ms: tuple[float, ...]
    warmup_ms: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        stats = asdict(self.latency_ms)
        return {
            "throughput_ips": stats.pop("throughput_ips"),
            "samples": stats.pop("samples"),
            "latency_ms": stats,
            "samples_ms": [round(value, 4) for value in self.samples_ms],
            "warmup_ms": [round(value, 4) for value in self.warmup_ms],
        }


@dataclass(frozen=True)
class EngineTiming:
    """One engine.

    Args:
        path: its file.
        manifest: its record.
        batch: images per call.
        threads: CPU threads it ran with.
        load_seconds: from the file to a session that is ready.
        calls: of the engine.
        peak_memory_bytes: of a fresh process that loads the engine and runs it.
        profile: where the time of a call goes; None unless asked for.
        end_to_end: from a picture file to the answer in the picture's geometry; None unless asked for.
        sustained: calls without a pause; None unless asked for.
    """

    path: Path
    manifest: Manifest
    batch: int
    threads: int
    load_seconds: float
    calls: Samples
    peak_memory_bytes: int
    profile: Profile | None = None
    end_to_end: Samples | None = None
    sustained: SustainedRun | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
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
            **self.calls.to_dict(),
            "peak_memory_bytes": self.peak_memory_bytes,
        }
        if self.end_to_end is not None:
            values["end_to_end"] = self.end_to_end.to_dict()
        if self.sustained is not None:
            values["sustained"] = self.sustained.to_dict(self.batch)
        if self.profile is not None:
            values["parts"] = [{"part": str(part), "milliseconds": ms} for part, ms in self.profile.parts.items()]
            values["operations"] = [asdict(operation) for operation in self.profile.operations]
        return values


@dataclass(frozen=True)
class BenchResult:
    """All engines, in the order they were named; their samples of one round were taken after one another.

    Args:
        engines: what was measured of each.
        latency: of the engines' calls, by their number as text.
        environment: the machine.
        power: how fast it lets its clocks run.
        comparison: with an earlier measurement.
        command: asks for the same again.
        pictures: what was timed from end to end, in words; "" where nothing was.
        remarks: what else there is to know.
    """

    engines: tuple[EngineTiming, ...]
    latency: InterleavedLatency
    environment: Environment
    power: PowerState = field(default_factory=PowerState)
    comparison: Comparison | None = None
    command: str = ""
    pictures: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be known to believe the figures."""
        compared = () if self.comparison is None else self.comparison.notes
        slowed = [describe_slowdown(str(one.path), one.sustained) for one in self.engines if one.sustained]
        seen = (f"Timed from end to end: {self.pictures}.",) if self.pictures else ()
        return (*compared, *filter(None, slowed), *self.power.notes, *seen, *self.remarks)

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
        seen = {"pictures": self.pictures} if self.pictures else {}
        machine = {"environment": asdict(self.environment), "power": self.power.to_dict()}
        return {"engines": engines, **machine, **seen, **compared}

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
        """Return the timings as a table, and more for every engine that ran without a pause or was profiled."""
        way = ("end to end ms",) if self.pictures else ()
        headings = ("batch", "median ms", "p90", "p99", *way, "images/s", "speed-up", "peak MiB", "samples")
        columns = (Column("engine", is_number=False), Column("mode", is_number=False), *map(Column, headings))
        rows = tuple(self._row(index, timing) for index, timing in enumerate(self.engines))
        names = tuple(str(timing.path) for timing in self.engines)
        return (
            Table("Latency", columns, rows),
            *(() if self.comparison is None else (self.comparison.table(names),)),
            *(sustained_table(str(one.path), one.sustained, one.batch) for one in self.engines if one.sustained),
            *(table for timing in self.engines if timing.profile for table in _profile_tables(timing, timing.profile)),
        )

    def _row(self, index: int, timing: EngineTiming) -> tuple[str, ...]:
        stats = timing.calls.latency_ms
        return (
            str(timing.path),
            timing.manifest.metadata.mode,
            str(timing.batch),
            f"{stats.median:.1f}",
            f"{stats.p90:.1f}",
            f"{stats.p99:.1f}",
            *((f"{timing.end_to_end.latency_ms.median:.1f}",) if timing.end_to_end else ()),
            f"{stats.throughput_ips:.2f}",
            f"{self.speedup(0, index):.2f}x",
            f"{timing.peak_memory_bytes / 2**20:.0f}",
            str(stats.samples),
        )


def _profile_tables(timing: EngineTiming, profile: Profile) -> tuple[Table, Table]:
    total = sum(profile.parts.values()) or 1.0

    def cells(name: str, milliseconds: float) -> tuple[str, str, str]:
        return name, f"{milliseconds:.2f}", f"{100 * milliseconds / total:.1f} %"

    parts = tuple(cells(str(part), milliseconds) for part, milliseconds in profile.parts.items())
    shown = [(entry.operation, entry.milliseconds, entry.count) for entry in profile.operations[:_SHOWN_OPERATIONS]]
    rest = profile.operations[_SHOWN_OPERATIONS:]
    if rest:
        shown.append(("others", sum(entry.milliseconds for entry in rest), sum(entry.count for entry in rest)))
    operations = tuple((*cells(name, milliseconds), str(count)) for name, milliseconds, count in shown)
    columns = (Column("ms"), Column("share"))
    return (
        Table(f"Parts of {timing.path} (profiled)", (Column("part", is_number=False), *columns), parts),
        Table(
            f"Operations of {timing.path} (profiled)",
            (Column("operation", is_number=False), *columns, Column("nodes")),
            operations,
        ),
    )
