"""An earlier benchmark of the same engines, and which of them became slower."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from segpp_deploy import commands
from segpp_deploy.errors import SegppError, first_problem, one_line
from segpp_deploy.evaluation.environment import Environment
from segpp_deploy.evaluation.regression import Change
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.workflows.bench.power import PowerState


class _Timed(BaseModel):
    path: str
    mode: str
    target: str
    precision: str
    size: str
    batch: int
    samples_ms: list[float] = Field(min_length=1)


class _Machine(BaseModel):
    cpu: str
    cpu_cores: int


class _Power(BaseModel):
    mode: str = ""


class Baseline(BaseModel):
    """What `bench -o DIR` wrote into bench.json, as far as it is compared."""

    engines: list[_Timed]
    environment: _Machine
    power: _Power = _Power()

    def samples_of(self, timing: dict[str, Any]) -> list[float] | None:
        """Return the samples of the engine that is described by the same words, of the same path if several are."""
        fields = ("mode", "target", "precision", "size", "batch")
        alike = [one for one in self.engines if all(getattr(one, name) == timing[name] for name in fields)]
        named = [one for one in alike if one.path == timing["path"]]
        found = named or alike
        return found[0].samples_ms if len(found) == 1 else None


@dataclass(frozen=True)
class Comparison:
    """Engines beside an earlier measurement of them.

    Args:
        path: of the earlier report.
        changes: by engine, in their order; None for those that it does not hold.
        other_machine: what differs in the machine; "" where nothing does.
    """

    path: Path
    changes: tuple[Change | None, ...]
    other_machine: str

    @property
    def slower(self) -> int:
        """How many engines are slower beyond noise."""
        return sum(change is not None and change.is_slower for change in self.changes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be known to believe the comparison."""
        unknown = sum(change is None for change in self.changes)
        return tuple(
            filter(
                None,
                (
                    f"Warning: {self.path} was measured on another machine: {self.other_machine}."
                    if self.other_machine
                    else "",
                    f"{unknown} engines are not in {self.path}, or not told apart there." if unknown else "",
                ),
            )
        )

    def table(self, names: tuple[str, ...]) -> Table:
        """Return a row for each engine that was measured before."""
        rows = tuple(
            (name, f"{change.ratio:.3f}x", f"{change.low:.3f} to {change.high:.3f}", _verdict(change))
            for name, change in zip(names, self.changes, strict=True)
            if change is not None
        )
        columns = (Column("engine", False), Column("time"), Column("95 % interval"), Column("", False))
        return Table(f"Against {self.path}", columns, rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "path": str(self.path),
            "slower": self.slower,
            "changes": [
                None if change is None else {**vars(change), "verdict": _verdict(change)} for change in self.changes
            ],
        }


def read_baseline(path: Path) -> Baseline:
    """Read an earlier report.

    Raises:
        SegppError: it is not there, or no report of bench with samples.
    """
    try:
        return TypeAdapter(Baseline).validate_json(path.read_bytes())
    except OSError as error:
        what = f"{path} cannot be read: {one_line(error.strerror or error)}."
    except ValidationError as error:
        what = f"{path} is no benchmark: {first_problem(error)}."
    raise SegppError(what, "bench.json, as bench -o DIR writes it.", commands.option("out", "DIR"))


def describe_other_machine(baseline: Baseline, environment: Environment, power: PowerState) -> str:
    """Return what differs between two machines, or ""."""
    before, now = baseline.environment, environment
    if (before.cpu, before.cpu_cores) != (now.cpu, now.cpu_cores):
        return f"{before.cpu} ({before.cpu_cores} cores), now {now.cpu} ({now.cpu_cores} cores)"
    if baseline.power.mode != power.mode:
        return f"power mode {baseline.power.mode or 'unknown'}, now {power.mode or 'unknown'}"
    return ""


def _verdict(change: Change) -> str:
    if change.is_slower:
        return "slower"
    return "faster" if change.is_faster else "as before"
