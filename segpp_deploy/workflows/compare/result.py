"""What `compare` found: a row for every combination, and how rows differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from segpp_deploy import commands
from segpp_deploy.config import Choice, Preset
from segpp_deploy.errors import CheckFailedError, some_names
from segpp_deploy.evaluation.environment import Environment
from segpp_deploy.evaluation.failures import Failures
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.runtimes.registry import TARGETS
from segpp_deploy.workflows.compare.cells import Cell
from segpp_deploy.workflows.compare.columns import FIGURES, heading_of
from segpp_deploy.workflows.compare.findings import Judged, Timed
from segpp_deploy.workflows.compare.gallery import Gallery
from segpp_deploy.workflows.compare.options import Axis

HTML_NAME, PICTURES_NAME = "compare.html", "pictures"


class RowStatus(Choice):
    """How far a row came."""

    DONE = "done"
    IMPOSSIBLE = "not here"
    FAILED = "failed"


@dataclass(frozen=True)
class Row:
    """One combination.

    Args:
        cell: which.
        status: how far it came.
        reason: why no further, in a sentence.
        judged: how good it is.
        timed: how fast it is.
        commands: what exports and builds it.
    """

    cell: Cell
    status: RowStatus = RowStatus.DONE
    reason: str = ""
    judged: Judged | None = None
    timed: Timed | None = None
    commands: tuple[str, ...] = ()

    def impossible(self, reason: str) -> Row:
        """Return it with why there is nothing to build."""
        return replace(self, status=RowStatus.IMPOSSIBLE, reason=reason)

    def failed(self, reason: str) -> Row:
        """Return it with what went wrong."""
        return replace(self, status=RowStatus.FAILED, reason=reason)


@dataclass(frozen=True)
class CompareResult:
    """The outcome of a comparison.

    Args:
        out: the report's directory.
        data: the pictures' name.
        images: how many there are.
        has_labels: whether the data set says what is true of them; else float32 `original` does.
        torch_images: on how many of them rows are compared with PyTorch.
        iterations: timed calls of each engine.
        baseline: the mode that speed-ups are over.
        rows: all of them.
        environment: the machine.
        command: what was typed, or would have been.
        failures: pictures that cannot be read.
        galleries: what the page shows, one for each model and size.
        stale: rows that the journal knew under other conditions only.
        reused: rows that the journal knew.
        further: what the user should know besides.
    """

    out: Path
    data: str
    images: int
    has_labels: bool
    torch_images: int
    iterations: int
    baseline: str
    rows: tuple[Row, ...]
    environment: Environment
    command: str
    failures: Failures = field(default_factory=Failures)
    galleries: tuple[Gallery, ...] = ()
    stale: int = 0
    reused: int = 0
    further: tuple[str, ...] = ()

    @property
    def html(self) -> Path:
        """The page."""
        return self.out / HTML_NAME

    @property
    def pictures(self) -> Path:
        """The folder of the galleries' files."""
        return self.out / PICTURES_NAME

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know besides."""
        notes = []
        if self.reused:
            notes.append(f"{self.reused} rows were known from an earlier run and were not measured again.")
        if self.stale:
            notes.append(
                f"{self.stale} rows were known of other weights, pictures, options or versions, and were measured anew."
            )
        if not self.has_labels:
            notes.append("The pictures have no labels: rows are judged by what the unmerged float32 model says.")
        judged = [row.judged.evaluation for row in self.rows if row.judged]
        notes += dict.fromkeys(note for one in judged for note in one.notes)
        notes += dict.fromkeys(f"Warning: {warning}" for one in judged for warning in one.warnings)
        return (*self.further, *notes)

    def describe_conditions(self) -> str:
        """Return what was measured on what, in a few sentences."""
        machine = self.environment
        infos = [TARGETS[target] for target in dict.fromkeys(row.cell.candidate.engine.target for row in self.rows)]
        versions = [
            f"{info.runtime} {machine.packages[info.module]}" for info in infos if info.module in machine.packages
        ]
        return (
            f"{self.images} pictures of {self.data}, agreement with PyTorch on {self.torch_images} of them. Latency of "
            f"batch 1 on {machine.cpu} ({machine.cpu_cores} cores), {self.iterations} calls of each engine, which took "
            f"turns; speed-ups are over {self.baseline} in fp32. {' and '.join(versions)}, "
            f"segpp-deploy {machine.tool_version}."
        )

    def delta_exact(self, row: Row) -> float | None:
        """Return by how many points a row is better than its mode in float32; None where that is not known."""
        plan = row.cell.candidate.plan.name
        return self._delta(row, lambda other: other.candidate.plan.name == plan)

    def delta_original(self, row: Row) -> float | None:
        """Return by how many points a row is better than `original` in float32; None where that is not known."""
        return self._delta(row, lambda other: other.candidate.plan.name == Preset.ORIGINAL)

    def _delta(self, row: Row, is_meant: Callable[[Cell], bool]) -> float | None:
        """Compare with a float32 row of the same model and size, of the same target if there is one."""
        cell = row.cell
        others = [
            other
            for other in self.rows
            if other.judged
            and other.cell.is_exact
            and (other.cell.model, other.cell.candidate.size) == (cell.model, cell.candidate.size)
            and is_meant(other.cell)
        ]
        if row.judged is None or not others:
            return None
        target = cell.candidate.engine.target
        beside = next((one for one in others if one.cell.candidate.engine.target is target), others[0])
        assert beside.judged is not None
        loss = row.judged.evaluation.headline.loss_from(beside.judged.evaluation.headline)
        return 0.0 if loss == 0 else -loss

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `compare --json`, which is compare.json too."""
        return {
            "data": self.data,
            "images": self.images,
            "has_labels": self.has_labels,
            "torch_images": self.torch_images,
            "iterations": self.iterations,
            "baseline": self.baseline,
            "command": self.command,
            "rows": [self.row_to_dict(row) for row in self.rows],
            "failures": self.failures.to_list(),
            "notes": list(self.notes),
            "environment": asdict(self.environment),
            "report": str(self.html),
        }

    def row_to_dict(self, row: Row) -> dict[str, Any]:
        """Return plain JSON values; what is not known is None."""
        judged, timed = row.judged, row.timed
        evaluation = None if judged is None else judged.evaluation
        score = None if evaluation is None else evaluation.headline
        return {
            **{str(axis): value for axis, value in row.cell.axes.items()},
            "status": str(row.status),
            "reason": row.reason,
            "metric": score and score.name,
            "value": score and score.value,
            "unit": score and str(score.unit),
            "delta": self.delta_original(row),
            "delta_fp32": self.delta_exact(row),
            "agreement": judged and judged.agreement.value,
            "agreement_of": judged and judged.agreement.name,
            "latency_ms": timed and timed.latency_ms,
            "latency_p95_ms": timed and timed.latency_p95_ms,
            "end_to_end_ms": timed and timed.end_to_end_ms,
            "end_to_end_p95_ms": timed and timed.end_to_end_p95_ms,
            "speedup": timed and timed.speedup,
            "peak_memory_bytes": timed and timed.peak_memory_bytes,
            "engine_bytes": judged and judged.engine_bytes,
            "attention_pairs": judged and judged.attention_pairs,
            "build_seconds": judged and judged.build_seconds,
            "scores": {one.key: one.value for one in evaluation.scores} if evaluation else {},
            "per_class": dict(evaluation.per_class.values) if evaluation else {},
            "commands": list(row.commands),
        }

    @property
    def varying(self) -> tuple[Axis, ...]:
        """What tells the rows of the table apart: the model and the size only where there are several."""
        optional = (Axis.MODEL, Axis.SIZE)
        return tuple(
            axis for axis in Axis if axis not in optional or len({row.cell.axes[axis] for row in self.rows}) > 1
        )

    def tables(self) -> tuple[Table, ...]:
        """Return the figures, and beside them the rows that have none or not all, with the reasons."""
        rows = [self.row_to_dict(row) for row in self.rows]
        axes = tuple(Column(str(axis), is_number=False) for axis in self.varying)
        figures = tuple(
            (*(row[axis] for axis in self.varying), *(figure.text(row) for figure in FIGURES))
            for row in rows
            if row["metric"] is not None
        )
        reasons = tuple(
            (*(row[axis] for axis in self.varying), row["status"], row["reason"]) for row in rows if row["reason"]
        )
        headings = tuple(Column(heading_of(figure, rows)) for figure in FIGURES)
        told = (Column("", is_number=False), Column("why", is_number=False))
        tables = (
            Table("Accuracy, latency and memory", (*axes, *headings), figures),
            Table("Rows without figures", (*axes, *told), reasons),
        )
        return tuple(table for table in tables if table.rows)

    def summary(self) -> str:
        """Say where the report lies."""
        return f"Report: {self.html}"

    def require_complete(self) -> None:
        """Check that no row failed and no picture was left out.

        Raises:
            SegppError: some pictures could not be read.
            CheckFailedError: some rows failed.
        """
        self.failures.raise_any(self.images + len(self.failures))
        failed = [row for row in self.rows if row.status is RowStatus.FAILED]
        if failed:
            raise CheckFailedError(
                f"{len(failed)} of {len(self.rows)} rows failed: {some_names(str(row.cell) for row in failed)}.",
                "rows that run; the table says why they did not.",
                "Try again, or leave them out with " + commands.option("skip", "AXIS=VALUE") + ".",
            )
