"""The page of a benchmark, one file: how latencies scatter, how engines warm up, and all tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from segpp_deploy.report.charts import ChartLine, draw_distributions, draw_warmup
from segpp_deploy.report.html import Section, render_page
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.workflows.bench.result import BenchResult, EngineTiming, Samples

_FIRST_SAMPLES = 20
"""Timed calls that the warm-up's curve goes on with."""


def render_benchmark(result: BenchResult, title: str) -> str:
    """Return the page.

    Raises:
        SegppError: jinja2 or matplotlib is not installed.
    """
    return render_page(title, result.environment.in_one_line, list(_sections(result))) + "\n"


def _sections(result: BenchResult) -> Iterator[Section]:
    latency, *others = result.tables()
    yield Section(latency.title, table=latency, text=" ".join(result.notes))
    share = "Share of the calls that took no longer."
    calls = _lines(result, lambda timing: timing.calls, _distribution)
    yield Section("How latencies scatter", share, chart_svg=draw_distributions(calls, "ms of a call"))
    if result.pictures:
        ways = _lines(result, lambda timing: timing.end_to_end, _distribution)
        svg = draw_distributions(ways, "ms from the picture file to the answer")
        yield Section("From end to end", share, chart_svg=svg)
    warmup = len(result.engines[0].calls.warmup_ms)
    yield Section(
        "Warm-up",
        f"The first calls of each engine over its median; {warmup} of them, left of the line, are not in the figures.",
        chart_svg=draw_warmup(_lines(result, lambda timing: timing.calls, _first_calls), warmup),
    )
    for table in others:
        yield Section(table.title, table=table)
    yield Section("Once more", commands=(result.command,))
    machine = (Column("", is_number=False), Column("", is_number=False))
    yield Section("This machine", table=Table("", machine, (*result.environment.rows, *result.power.rows)))


def _lines(
    result: BenchResult,
    choose: Callable[[EngineTiming], Samples | None],
    points: Callable[[Samples], list[tuple[float, float]]],
) -> list[ChartLine]:
    chosen = ((timing, choose(timing)) for timing in result.engines)
    return [ChartLine(str(timing.path), points(samples)) for timing, samples in chosen if samples is not None]


def _distribution(samples: Samples) -> list[tuple[float, float]]:
    """Return (ms, share of the calls that took no longer), from 0 to 100 %."""
    ordered = sorted(samples.samples_ms)
    steps = [(value, 100 * (index + 1) / len(ordered)) for index, value in enumerate(ordered)]
    return [(ordered[0], 0.0), *steps]


def _first_calls(samples: Samples) -> list[tuple[float, float]]:
    """Return (number of the call, its time over the median)."""
    median = samples.latency_ms.median or 1.0
    first = (*samples.warmup_ms, *samples.samples_ms[:_FIRST_SAMPLES])
    return [(number, value / median) for number, value in enumerate(first, start=1)]
