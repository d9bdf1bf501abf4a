"""What `package` wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segpp_deploy.packaging.stacks import Stack
from segpp_deploy.report.tables import Table


@dataclass(frozen=True)
class PackageResult:
    """A package.

    Args:
        out: its directory.
        stack: what runs it.
        files: in it, relative to the directory.
        start: what is typed there to start it.
        notes: what the user should know.
    """

    out: Path
    stack: Stack
    files: tuple[str, ...]
    start: str
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `package --json`."""
        return {
            "out": self.out,
            "stack": str(self.stack),
            "files": list(self.files),
            "start": self.start,
            "notes": list(self.notes),
        }

    def tables(self) -> tuple[Table, ...]:
        """Return none: files were written."""
        return ()

    def summary(self) -> str:
        """Return the files, and how to start it."""
        return "\n".join(
            [*(f"{self.out / name}" for name in self.files), f"To start it: cd {self.out} && {self.start}"]
        )
