"""What is told of a run without a pause: its tenths as a table, and whether it slowed down."""

from __future__ import annotations

from collections.abc import Iterator

from segpp_deploy.evaluation.latency import LatencyStats
from segpp_deploy.evaluation.sustained import SustainedRun
from segpp_deploy.report.tables import Column, Table

_LOWER = 0.95
"""Below this share of what it was at first, a clock is said to have fallen."""


def sustained_table(engine: str, run: SustainedRun, batch: int) -> Table:
    """Return a row for each tenth, with the clocks and the hottest sensor where they were read."""
    clocks = list(dict.fromkeys(name for tenth in run.tenths for name in tenth.reading.clocks_mhz))
    is_warm = any(tenth.reading.temperatures_c for tenth in run.tenths)
    headings = ["until s", "calls", "median ms", "p99", "images/s", *(f"{name} MHz" for name in clocks)]
    rows = []
    for tenth in run.tenths:
        stats, reading = LatencyStats.from_samples(tenth.samples_ms, batch), tenth.reading
        rows.append(
            (
                f"{tenth.end_s:.1f}",
                str(stats.samples),
                f"{stats.median:.1f}",
                f"{stats.p99:.1f}",
                f"{stats.throughput_ips:.2f}",
                *(_whole(reading.clocks_mhz.get(name)) for name in clocks),
                *((_whole(max(reading.temperatures_c.values(), default=None)),) if is_warm else ()),
            )
        )
    title = f"{engine}, {run.seconds:g} s without a pause: the last tenth takes {run.slowdown:.2f}x the first"
    return Table(title, tuple(map(Column, [*headings, *["hottest °C"] * is_warm])), tuple(rows))


def describe_slowdown(engine: str, run: SustainedRun) -> str:
    """Return a warning if the run slowed down, with what fell and what got warm; "" if not."""
    if not run.has_slowed:
        return ""
    first, last = run.tenths[0], run.tenths[-1]
    times = f"{last.median_ms:.1f} ms after {run.seconds:g} s without a pause, {first.median_ms:.1f} ms at first"
    seen = "; ".join(_changes(run))
    return f"Warning: {engine} slowed down: {times}{f' ({seen})' if seen else ''}."


def _changes(run: SustainedRun) -> Iterator[str]:
    before, now = run.tenths[0].reading, run.tenths[-1].reading
    for name, mhz in now.clocks_mhz.items():
        if mhz < _LOWER * before.clocks_mhz.get(name, 0.0):
            yield f"{name} from {before.clocks_mhz[name]:.0f} to {mhz:.0f} MHz"
    if now.temperatures_c:
        name = max(now.temperatures_c, key=lambda zone: now.temperatures_c[zone])
        yield f"{name} at {now.temperatures_c[name]:.0f} °C"


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
