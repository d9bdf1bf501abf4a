"""What `selftest` answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from segpp_deploy.evaluation.environment import describe_environment
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.workflows.selftest.kernel_timing import KernelTimings


@dataclass(frozen=True)
class CheckResult:
    """One comparison with the reference.

    Args:
        subject: the op, or the model.
        case: the shape, or the mode.
        dtype: float type of the inputs.
        passed: whether the bar holds.
        finding: what was found.
    """

    subject: str
    case: str
    dtype: str
    passed: bool
    finding: str


@dataclass(frozen=True)
class SelftestResult:
    """Every comparison.

    Args:
        where: what computed.
        checks: each comparison.
        timings: of the kernels, where they ran alone on a GPU.
    """

    where: str
    checks: tuple[CheckResult, ...]
    timings: KernelTimings | None = None

    @property
    def passed(self) -> bool:
        """Whether everything agrees."""
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON document of `selftest --json`."""
        return {
            "passed": self.passed,
            "where": self.where,
            "checks": [asdict(check) for check in self.checks],
            "timings": asdict(self.timings) if self.timings else None,
            "environment": asdict(describe_environment()),
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """Nothing besides."""
        return ()

    def tables(self) -> tuple[Table, ...]:
        """Return a row per comparison."""
        columns = tuple(Column(name, is_number=False) for name in ("what", "case", "type", "result", "found"))
        rows = tuple(
            (check.subject, check.case, check.dtype, "ok" if check.passed else "FAILED", check.finding)
            for check in self.checks
        )
        table = Table(f"Self-test: {self.where}", columns, rows)
        return (table, *(() if self.timings is None else (self.timings.table(),)))

    def summary(self) -> str:
        """Return the outcome in a sentence."""
        failed = sum(not check.passed for check in self.checks)
        total = len(self.checks)
        return f"{failed} of {total} checks failed." if failed else f"All {total} checks passed."
