"""What `export` wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.report.tables import Table
from segpp_deploy.report.tokens import tokens_table


@dataclass(frozen=True)
class ExportResult:
    """A written file.

    Args:
        path: the ONNX file.
        metadata: what the file says about itself.
        sha256: hash of the file.
        notes: what the user should know, such as stages where the plan merges nothing.
    """

    path: Path
    metadata: ExportMetadata
    sha256: str
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `export --json`."""
        described = self.metadata.to_dict()
        return {"path": str(self.path), "sha256": self.sha256, "notes": list(self.notes), **described}

    def tables(self) -> tuple[Table, ...]:
        """Return the token counts of each stage."""
        facts = self.metadata
        return (tokens_table(facts.tokens, f"{facts.arch} {facts.mode} at {facts.size}: tokens per stage"),)

    def summary(self) -> str:
        """Say what was written."""
        return f"Wrote {self.path}"
