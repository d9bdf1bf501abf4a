"""The page of a measurement: what ran, and tables of what it found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.gpu_hour.step import Outcome, StepResult
from benchmarks.recording import Row
from benchmarks.section import number_columns, text_columns
from segpp_deploy.report.tables import Column, Table, to_markdown

_TITLE = "An hour with a GPU"
_EXPLAINED = (Outcome.MISSING, Outcome.LEFT_OUT)


def write_page(facts: dict[str, Any], results: Sequence[StepResult]) -> str:
    """Return the page in Markdown."""
    parts = [f"# {_TITLE}", _lead(facts)]
    for table in (_steps(results), *_kernels(results), _published(results), _engines(results)):
        if table.rows:
            parts += [f"## {table.title}", to_markdown(table)]
    troubles = [one for one in results if one.outcome in (Outcome.FAILED, Outcome.TIMED_OUT)]
    for one in troubles:
        parts += [f"## {one.name}: {one.outcome}", f"```\n{one.why}\n```"]
    return "\n\n".join(parts) + "\n"


def _lead(facts: dict[str, Any]) -> str:
    environment = facts["environment"]
    gpus = [f"{gpu['name']}, driver {gpu['driver_version']}" for gpu in environment["gpus"]]
    packages = ", ".join(f"{name} {version}" for name, version in environment["packages"].items())
    lines = [
        f"- commit {facts['commit']}, {facts['measured']}",
        f"- GPU: {'; '.join(gpus) or 'none'}",
        f"- {environment['cpu']}, {environment['cpu_cores']} cores, {environment['os']}, {environment['python']}",
        f"- {packages}",
        *(f"- {name}: {value}" for name, value in facts["gpu"].items()),
    ]
    if facts["emulated"]:
        lines.append("- **Emulated: a CPU stood in for the GPU, so no time below means anything.**")
    return "\n".join(lines)


def _steps(results: Sequence[StepResult]) -> Table:
    columns = (*text_columns("step", "outcome"), *number_columns("s", "SM clock, MHz", "power, W", "hottest, C"))
    rows = [
        (
            one.name,
            str(one.outcome) + (f": {_first_line(one.why)}" if one.outcome in _EXPLAINED else ""),
            f"{one.seconds:.0f}",
            _range(one.gpu.get("sm_mhz")),
            _range(one.gpu.get("power_w")),
            f"{one.gpu['temperature_c'][2]:.0f}" if "temperature_c" in one.gpu else "",
        )
        for one in results
    ]
    return Table("Steps", columns, tuple(rows))


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), "")


def _range(values: Sequence[float] | None) -> str:
    """The median, and between what it lay."""
    return "" if not values else f"{values[1]:.0f} ({values[0]:.0f} to {values[2]:.0f})"


def _kernels(results: Sequence[StepResult]) -> list[Table]:
    tables = []
    for report in _documents(results, "checks"):
        failed = [check for check in report["checks"] if not check["passed"]]
        text_rows = tuple((check["subject"], check["case"], check["dtype"], check["finding"]) for check in failed)
        title = f"{report['where']}: {len(report['checks'])} checks, {len(failed)} failed"
        counted = ((f"{len(report['checks']) - len(failed)} passed", "", "", ""),)
        tables.append(Table(title, text_columns("op", "case", "type", "finding"), text_rows or counted))
        timings = report.get("timings")
        if timings:
            numbers = number_columns("warm, us", "cold, us", "roofline, us", "share of it")
            columns = (*text_columns("op", "case"), *numbers)
            rows = tuple(_kernel_row(kernel) for kernel in timings["kernels"])
            tables.append(Table(f"Kernels in fp16; a copy moves {timings['copy_gb_s']:.0f} GB/s", columns, rows))
    return tables


def _kernel_row(kernel: Row) -> tuple[str, ...]:
    times = (kernel["warm_us"], kernel["cold_us"], kernel["roofline_us"])
    share = f"{kernel['roofline_us'] / kernel['cold_us']:.0%}"
    return kernel["op"], kernel["case"], *(f"{time:.1f}" for time in times), share


def _published(results: Sequence[StepResult]) -> Table:
    """Every form and mode, beside the published form of the unmerged network at the same size."""
    rows = [row for row in _rows(results) if "form" in row]
    baselines = {
        (row["arch"], row["size"]): row["median_ms"]
        for row in rows
        if row["form"] == "published" and row["mode"] == "original"
    }
    cells = tuple(
        (
            row["arch"],
            row["size"],
            row["form"],
            row["mode"],
            f"{row['median_ms']:.3f}",
            f"{baselines[row['arch'], row['size']] / row['median_ms']:.2f}x",
            f"{row['agreement']:.2%}",
        )
        for row in rows
    )
    columns = (*text_columns("arch", "size", "form", "mode"), *number_columns("ms", "times original", "agreement"))
    return Table("The published form and ours, in PyTorch, fp16", columns, cells)


def _engines(results: Sequence[StepResult]) -> Table:
    numbers: tuple[Column, ...] = number_columns("ms", "p99, ms", "mIoU", "of PyTorch", "agreement", "built in, s")
    cells = tuple(
        (
            row["target"],
            row["lowering"],
            row["precision"],
            row["mode"],
            f"{row['median_ms']:.3f}",
            f"{row['p99_ms']:.3f}",
            f"{100 * row['miou']:.2f}",
            f"{100 * row['miou_torch']:.2f}",
            f"{row['agreement']:.3%}",
            f"{row['build_seconds']:.1f}",
        )
        for row in _rows(results)
        if "target" in row
    )
    columns = (*text_columns("target", "lowering", "precision", "mode"), *numbers)
    return Table("Engines of every runtime that is here, from picture to labels", columns, cells)


def _rows(results: Iterable[StepResult]) -> list[Row]:
    return [row for document in _documents(results, "rows") for row in document["rows"]]


def _documents(results: Iterable[StepResult], key: str) -> list[dict[str, Any]]:
    return [document for one in results for document in one.found if isinstance(document, dict) and key in document]
