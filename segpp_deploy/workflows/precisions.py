"""The precisions that `--precision auto` compared, as a table; what builds an engine and what inspects it show it."""

from __future__ import annotations

from segpp_deploy.engine.automatic_choice import PrecisionChoice
from segpp_deploy.report.tables import Column, Table


def candidates_table(choice: PrecisionChoice) -> Table:
    """Return one line for each precision: what it takes and loses, and what became of it."""
    columns = (Column("precision", False), *map(Column, ("latency", "times fp32", "points lost")), Column("", False))
    rows = tuple(
        (
            str(one.precision),
            "-" if one.latency_ms is None else f"{one.latency_ms:.1f} ms",
            "-" if one.speedup_over_fp32 is None else f"{one.speedup_over_fp32:.2f}x",
            "-" if one.lost_points is None else f"{one.lost_points:.2f}",
            one.verdict,
        )
        for one in choice.candidates
    )
    return Table("Precisions", columns, rows)
