"""Token counts per stage as a table."""

from __future__ import annotations

from collections.abc import Sequence

from segpp_deploy.model.plan import StageTokens
from segpp_deploy.report.tables import Column, Table


def tokens_table(tokens: Sequence[StageTokens], title: str) -> Table:
    """Return one row per stage: its token grid, and the queries and keys that attention sees.

    Example:
        >>> tokens_table([StageTokens(3, (32, 64), 2048, 205, 512, 512)], "fast").rows
        (('3', '32x64', '2048 -> 205', '512'),)
    """
    columns = (Column("stage"), Column("grid"), Column("queries"), Column("keys and values"))
    rows = tuple(
        (
            str(stage.stage),
            f"{stage.grid[0]}x{stage.grid[1]}",
            _change(stage.q_before, stage.q_after),
            _change(stage.kv_before, stage.kv_after),
        )
        for stage in tokens
    )
    return Table(title, columns, rows)


def _change(before: int, after: int) -> str:
    return str(before) if before == after else f"{before} -> {after}"
