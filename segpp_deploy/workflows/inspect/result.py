"""What was found in a file, for JSON and for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from segpp_deploy.config import Choice
from segpp_deploy.engine.automatic_choice import AutomaticChoice
from segpp_deploy.graph.contract import TensorSpec
from segpp_deploy.model.plan import StageTokens
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.report.tokens import tokens_table
from segpp_deploy.workflows.precisions import candidates_table

_SHOWN_NAMES = 12


class FileKind(Choice):
    """What a file can be."""

    GRAPH = "onnx graph"
    ENGINE = "engine"
    CHECKPOINT = "checkpoint"
    PLAN = "merge plan"
    CARD = "model card"


@dataclass(frozen=True)
class RunsHere:
    """Whether something runs on this machine, and if not why not and what to do."""

    subject: str
    works: bool
    why_not: str = ""
    fix: str = ""


@dataclass(frozen=True)
class InspectResult:
    """One file.

    Args:
        path: as the user named it.
        kind: what it is.
        facts: what it says, as plain JSON values.
        runs_here: for engines and graphs.
        next_step: a command that makes use of it.
    """

    path: str
    kind: FileKind
    facts: Mapping[str, Any]
    runs_here: tuple[RunsHere, ...] = ()
    next_step: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what comes next."""
        return (f"Next: {self.next_step}",) if self.next_step else ()

    def summary(self) -> str:
        """Return nothing: the tables say it all."""
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `inspect --json`."""
        return {
            "path": self.path,
            "kind": str(self.kind),
            **self.facts,
            "runs_here": [asdict(entry) for entry in self.runs_here],
        }

    def tables(self) -> tuple[Table, ...]:
        """Return the facts, the tokens, the operations and the targets, as far as there are any."""
        metadata = self.facts.get("metadata", {})
        facts = {**self.facts, **{name: value for name, value in metadata.items() if name not in self.facts}}
        automatic = AutomaticChoice.model_validate(facts.pop("automatic", {}))
        tokens = facts.pop("tokens", None)
        operations = facts.pop("operations", None)
        for name in ("metadata", "palette", "plan"):
            facts.pop(name, None)
        text = Column("", is_number=False)
        rows = tuple((name.replace("_", " "), _fact_text(name, value)) for name, value in facts.items() if value != [])
        rows += _choice_rows(automatic, facts.get("target"))
        tables = [Table(f"{self.path}: {self.kind}", (text, text), rows)]
        if automatic.precision is not None and automatic.precision.candidates:
            tables.append(candidates_table(automatic.precision))
        if tokens:
            tables.append(tokens_table([StageTokens(**stage) for stage in tokens], "Tokens per stage"))
        if operations:
            columns = (Column("operation", is_number=False), Column("nodes"))
            tables.append(Table("Operations", columns, tuple((name, str(count)) for name, count in operations.items())))
        if self.runs_here:
            tables.append(_runs_table(self.runs_here))
        return tuple(tables)


def _choice_rows(automatic: AutomaticChoice, target: Any) -> tuple[tuple[str, str], ...]:
    """Return what was left to the program and why it chose what it did."""
    rows = [("target by auto", f"{target}: {automatic.target}")] if automatic.target else []
    if automatic.precision is not None:
        rows.append(("precision by auto", f"{automatic.precision.precision}: {automatic.precision.why}"))
    return tuple(rows)


def _runs_table(entries: Iterable[RunsHere]) -> Table:
    columns = tuple(Column(name, is_number=False) for name in ("", "runs here", "in the way", "next step"))
    rows = tuple((entry.subject, "yes" if entry.works else "no", entry.why_not, entry.fix) for entry in entries)
    return Table("On this machine", columns, rows)


def _fact_text(name: str, value: Any) -> str:
    if name in ("size", "input_size") and isinstance(value, (list, tuple)):
        return "x".join(map(str, value))
    if name == "input" and isinstance(value, Mapping):
        return _tensor_text(value)
    if name == "outputs" and isinstance(value, list) and all(isinstance(tensor, Mapping) for tensor in value):
        return "; ".join(map(_tensor_text, value))
    if name == "notes":
        return "\n".join(value)
    if name == "batch" and value is None:
        return "dynamic"
    return _as_text(value)


def _tensor_text(value: Mapping[str, Any]) -> str:
    return str(TensorSpec(value["name"], value["dtype"], tuple(value["shape"])))


def _as_text(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_as_text(item)}" for name, item in value.items() if item is not None) or "-"
    if isinstance(value, (list, tuple)):
        shown = [_as_text(item) for item in value[:_SHOWN_NAMES]]
        return ", ".join(shown) + (f" ... ({len(value)})" if len(value) > _SHOWN_NAMES else "")
    return str(value)
