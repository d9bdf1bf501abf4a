"""The record of peers as tables: one a model with all sizes, and at one size where the time goes."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.peers.variants import OURS, TITLES, Maker
from benchmarks.recording import Row
from benchmarks.section import number_columns, text_columns
from segpp_deploy.config import Precision, Preset
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.runtimes.profiling import OperationGroup

DETAILED_SIZE = "1024x1024"
DETAILED_MODES = (str(Preset.ORIGINAL), str(Preset.FAST))


def make_tables(recorded: list[Row]) -> list[Table]:
    """Three tables a model: all variants; steps and arithmetic; where ours spend their time."""
    tables = []
    for arch in dict.fromkeys(row["arch"] for row in recorded):
        rows = [row for row in recorded if row["arch"] == arch]
        timed = [row for row in rows if row["size"] == DETAILED_SIZE and "error" not in row]
        title = f"{arch.upper()}, {DETAILED_SIZE}"
        tables += [_all_sizes(arch, rows), _steps(f"{title}: steps and arithmetic", timed)]
        tables.append(_groups(f"{title}: where ours spend their time, ms", timed))
    return [table for table in tables if table.rows]


def _all_sizes(arch: str, rows: list[Row]) -> Table:
    sizes = list(dict.fromkeys(row["size"] for row in rows))
    found = {(_name(row), row["size"]): row for row in rows}
    names = dict.fromkeys(map(_name, rows))
    lines = [(*name, *(cell for size in sizes for cell in _speed(found.get((name, size))))) for name in names]
    headings = [heading for size in sizes for heading in (f"{size} ms", "times as fast")]
    return Table(f"{arch.upper()}", (*_name_columns(), *number_columns(*headings)), tuple(lines))


def _speed(row: Row | None) -> tuple[str, str]:
    if row is None:
        return "", ""
    if "error" in row:
        return "no time", ("other labels" if "agreement" in row else "failed")
    return f"{row['median_ms']:.0f}", f"{row['speedup']:.2f}"


def _steps(title: str, rows: Iterable[Row]) -> Table:
    lines = [
        (
            *_name(row),
            *(_own_graph(row) if row["maker"] in OURS else _apart(row)),
            f"{row['gflop']:.1f}",
            f"{row['gflop'] / row['model_ms'] * 1000:.0f}",
            _share_of_peak(row, row["model_ms"]),
            f"{row['agreement']:.2%}",
        )
        for row in rows
    ]
    headings = ("before ms", "model ms", "after ms", "GFLOP", "GFLOP/s", "of the peak", "labels")
    return Table(title, (*_name_columns(), *number_columns(*headings)), tuple(lines))


def _apart(row: Row) -> tuple[str, str, str]:
    return f"{row['before_ms']:.1f}", f"{row['model_ms']:.1f}", f"{row['after_ms']:.1f}"


def _own_graph(row: Row) -> tuple[str, str, str]:
    return "in the graph", f"{row['median_ms']:.1f}", "in the graph"


def _groups(title: str, rows: Iterable[Row]) -> Table:
    lines = [
        (
            *_name(row),
            *(f"{row['groups_ms'][group]:.1f}" for group in OperationGroup),
            f"{row['gflop'] / row['groups_ms'][OperationGroup.PRODUCTS] * 1000:.0f}",
            _share_of_peak(row, row["groups_ms"][OperationGroup.PRODUCTS]),
        )
        for row in rows
        if row["maker"] in OURS and row["mode"] in DETAILED_MODES
    ]
    headings = (*map(str, OperationGroup), "GFLOP/s of products", "of the peak")
    return Table(title, (*_name_columns(), *number_columns(*headings)), tuple(lines))


def _share_of_peak(row: Row, milliseconds: float) -> str:
    """Of the peak in the precision; that of int8 is not known."""
    if row["precision"] == Precision.INT8:
        return ""
    return f"{row['gflop'] / milliseconds * 1000 / row['peak_gflop_s'][row['precision']]:.0%}"


def _name(row: Row) -> tuple[str, str, str]:
    return TITLES[Maker(row["maker"])], row["mode"], row["precision"]


def _name_columns() -> tuple[Column, ...]:
    return text_columns("run by", "mode", "precision")
