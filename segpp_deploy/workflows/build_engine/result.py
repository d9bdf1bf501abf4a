"""What `build-engine` made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.engine.manifest import Manifest, manifest_path
from segpp_deploy.engine.precision_record import GateOutcome
from segpp_deploy.report.numbers import format_score
from segpp_deploy.report.tables import Table
from segpp_deploy.workflows.build_engine.report import PrecisionReport
from segpp_deploy.workflows.precisions import candidates_table


@dataclass(frozen=True)
class BuildResult:
    """A written engine and how it came to its precision.

    Args:
        path: the engine file; its manifest lies beside it.
        manifest: the engine's record.
        notes: what the user should know.
        report: None where the graph was built as exported.
    """

    path: Path
    manifest: Manifest
    notes: tuple[str, ...]
    report: PrecisionReport | None = None

    @property
    def gate(self) -> GateOutcome | None:
        """How the accuracy gate went; None without one."""
        record = self.manifest.precision_record
        return None if record is None else record.gate

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `build-engine --json`."""
        manifest = self.manifest
        record = manifest.precision_record
        return {
            "path": str(self.path),
            "manifest": str(manifest_path(self.path)),
            "target": str(manifest.target),
            "precision": str(manifest.precision),
            "build_seconds": manifest.build_seconds,
            "size_bytes": manifest.size_bytes,
            "tried": manifest.tried,
            "notes": list(self.notes),
            "automatic": manifest.automatic.model_dump(mode="json"),
            "precision_record": None if record is None else record.model_dump(mode="json"),
        }

    def tables(self) -> tuple[Table, ...]:
        """Return the precisions that were compared; a report has more."""
        choice = self.manifest.automatic.precision
        return () if choice is None or not choice.candidates else (candidates_table(choice),)

    def summary(self) -> str:
        """Return one line, or two with an accuracy gate."""
        written = f"Wrote {self.path} ({self.manifest.size_bytes / 2**20:.1f} MiB) and its manifest"
        gate = self.gate
        if gate is None:
            return written
        return (
            f"{written}\n{gate.engine.name} {format_score(gate.engine)}, float32 {format_score(gate.reference)} on "
            f"{gate.images} pictures of {gate.data}: {gate.lost_points:.2f} of {gate.allowed_points:g} points lost"
        )
