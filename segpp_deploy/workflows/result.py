"""What a command returns, whichever it is: values for scripts, tables and lines for people."""

from __future__ import annotations

from typing import Any, Protocol

from segpp_deploy.report.tables import Table


class CommandResult(Protocol):
    """The outcome of one command; the command line prints it, a report may hold it."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know besides, for stderr."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `--json`; its fields stay."""

    def tables(self) -> tuple[Table, ...]:
        """Return the figures as tables; () where there are none."""

    def summary(self) -> str:
        """Return the outcome in a line or two, below the tables; "" where the tables say it all."""
