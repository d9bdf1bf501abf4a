"""The kernels on the GPU, without TensorRT: right, the same in every run, and in a CUDA graph too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from segpp_deploy.model.plan import count_sources
from segpp_deploy.ops.token_match import TOKEN_MATCH
from segpp_deploy.ops.token_match_merge import TOKEN_MATCH_MERGE
from segpp_deploy.ops.token_merge import TOKEN_MERGE
from segpp_deploy.ops.token_merge_with_size import TOKEN_MERGE_WITH_SIZE
from segpp_deploy.ops.token_unmerge import TOKEN_UNMERGE
from segpp_deploy.plugin_library.device_kernels import DeviceKernels, PreparedCall, captured
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.workflows.selftest.cases import (
    Array,
    MatchCase,
    MergeCase,
    OpCase,
    OpInputs,
    Tokens,
    UnmergeCase,
    UpsampleCase,
)
from segpp_deploy.workflows.selftest.checks import Verdict, compute_reference, judge
from segpp_deploy.workflows.selftest.op_checks import check_all
from segpp_deploy.workflows.selftest.result import CheckResult

RUNS = 100
"""How often each case is computed: every run gives the same bits."""

_RANDOM_CASES = 24  # of each op


def check_device_kernels(
    kernels: DeviceKernels, cases: Sequence[OpCase], progress: Progress = no_progress
) -> tuple[CheckResult, ...]:
    """Compare every case with PyTorch, and every run with the first."""
    return check_all(lambda case, dtype: _check(kernels, case, dtype), cases, progress)


def random_cases(count: int = _RANDOM_CASES, seed: int = 0) -> Iterator[OpCase]:
    """Yield `count` cases of each op: ragged grids, channels that no vector divides, ties, several images."""
    random = np.random.default_rng(seed)

    def integer(low: int, high: int) -> int:
        return int(random.integers(low, high + 1))

    for _ in range(count):
        stride = (integer(1, 4), integer(2, 4))
        grid = (integer(stride[0], 40), integer(stride[1], 40))
        channels = int(random.choice([8, 20, 32, 64, 100, 160, 320, 512]))
        batch, ratio, ties = integer(1, 3), random.uniform(0.05, 1.0), bool(random.random() < 0.3)
        if count_sources(grid, stride)[1]:
            given = Tokens(grid, stride, channels, ratio, batch, ties)
            yield MatchCase(given)
            yield MatchCase(given, op=TOKEN_MATCH_MERGE)
        tokens = integer(1, 5000)
        rows, channels = integer(1, tokens), integer(1, 330)
        yield MergeCase(tokens, rows, channels, batch)
        yield MergeCase(tokens, rows, channels, batch, op=TOKEN_MERGE_WITH_SIZE)
        yield UnmergeCase(tokens, rows, channels, batch, has_residual=not ties)
        size = (integer(1, 60), integer(1, 60))
        yield UpsampleCase(integer(1, 160), size, (integer(1, 4 * size[0]), integer(1, 4 * size[1])), batch)


def _check(kernels: DeviceKernels, case: OpCase, dtype: str) -> Verdict:
    inputs = case.make_inputs(dtype)
    with kernels.prepared(case.op, inputs.tensors, inputs.attributes) as call:
        found = call.run()
        verdict = judge(case, inputs, compute_reference(case, inputs), found)
        if not verdict.passed:
            return verdict
        with _with_users(kernels, case, inputs, call) as calls:
            return Verdict(*_repeat(calls, verdict.finding))


@contextmanager
def _with_users(
    kernels: DeviceKernels, case: OpCase, inputs: OpInputs, call: PreparedCall
) -> Iterator[list[PreparedCall]]:
    """Give the call and, after a match, a merge and a restoring by its map: on some GPUs such launches overlap."""
    if case.op is not TOKEN_MATCH:
        yield [call]
        return
    (tokens,), (rows,) = inputs.tensors, call.outputs
    num_rows = {"num_rows": tokens.shape[1] - inputs.attributes["num_removed"]}
    with (
        kernels.prepared(TOKEN_MERGE, [tokens, rows], num_rows, stream=call.stream) as merge,
        kernels.prepared(TOKEN_UNMERGE, [*merge.outputs, rows, tokens], {}, stream=call.stream) as unmerge,
    ):
        yield [call, merge, unmerge]


def _repeat(calls: Sequence[PreparedCall], finding: str) -> tuple[bool, str]:
    """Compare calls that are queued at once with what they gave when each waited for the one before."""
    expected = [_bytes_of(call.run()) for call in calls]

    def queue() -> None:
        for call in calls:
            call.queue()

    changed = sum(_run_at_once(calls, queue) != expected for _ in range(RUNS))
    if changed:
        return False, f"{changed} of {RUNS} runs gave other bits than the first"
    with captured(calls) as launch:
        if any(_run_at_once(calls, launch) != expected for _ in range(2)):
            return False, "a CUDA graph gave other bits than the plain call"
    return True, f"{finding}; the same in {RUNS} runs and in a CUDA graph"


def _run_at_once(calls: Sequence[PreparedCall], queue: Callable[[], None]) -> list[list[bytes]]:
    for call in calls:
        call.clear_outputs()
    queue()
    return [_bytes_of(call.read()) for call in calls]


def _bytes_of(outputs: Sequence[Array]) -> list[bytes]:
    return [output.tobytes() for output in outputs]
