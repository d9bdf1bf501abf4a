"""What `export` wrote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from segpp_deploy.graph.exporting.export import ExportedGraph
from segpp_deploy.report.tables import Table
from segpp_deploy.report.tokens import tokens_table


@dataclass(frozen=True)
class ExportResult(ExportedGraph):
    """The written file, as a command's result."""

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
