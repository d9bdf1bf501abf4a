"""Ops that something computes, compared with the reference in every float type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from segpp_deploy.errors import SegppError
from segpp_deploy.ops.declaration import FLOATS, OpDeclaration
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.workflows.selftest.cases import OpCase
from segpp_deploy.workflows.selftest.checks import Verdict, compute_reference, judge
from segpp_deploy.workflows.selftest.result import CheckResult

_STEP = "Comparing the kernels with PyTorch"


class OpRunner(Protocol):
    """Computes a custom op somewhere."""

    def run(
        self, op: OpDeclaration, inputs: Sequence[NDArray[Any]], attributes: Mapping[str, int]
    ) -> tuple[NDArray[Any], ...]:
        """Return the op's outputs.

        Raises:
            SegppError: it cannot be computed.
        """


Check = Callable[[OpCase, str], Verdict]
"""Computes a case in a float type and judges it.

Raises:
    SegppError: it cannot be computed.
"""


def check_ops(runner: OpRunner, cases: Sequence[OpCase], progress: Progress = no_progress) -> tuple[CheckResult, ...]:
    """Compare a runner with the PyTorch reference, in every float type."""
    return check_all(lambda case, dtype: _compare(runner, case, dtype), cases, progress)


def check_op(runner: OpRunner, case: OpCase, dtype: str) -> CheckResult:
    """Compare one call."""
    return _result(lambda case, dtype: _compare(runner, case, dtype), case, dtype)


def check_all(check: Check, cases: Sequence[OpCase], progress: Progress = no_progress) -> tuple[CheckResult, ...]:
    """Check every case in every float type."""
    results: list[CheckResult] = []
    total = len(cases) * len(FLOATS)
    progress(_STEP, 0, total)
    for case in cases:
        for dtype in FLOATS:
            results.append(_result(check, case, dtype))
            progress(_STEP, len(results), total)
    return tuple(results)


def _result(check: Check, case: OpCase, dtype: str) -> CheckResult:
    """Return what a check found; what cannot be computed has failed it."""
    try:
        verdict = check(case, dtype)
    except SegppError as error:
        verdict = Verdict(False, error.what)
    return CheckResult(case.op.name, str(case), dtype, verdict.passed, verdict.finding)


def _compare(runner: OpRunner, case: OpCase, dtype: str) -> Verdict:
    inputs = case.make_inputs(dtype)
    found = runner.run(case.op, inputs.tensors, inputs.attributes)
    return judge(case, inputs, compute_reference(case, inputs), found)
