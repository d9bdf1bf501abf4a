"""The kernels on the GPU, without TensorRT: right, the same in every run, and in a CUDA graph too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from segpp_deploy.model.plan import count_sources
from segpp_deploy.ops.token_merge_with_size import TOKEN_MERGE_WITH_SIZE
from segpp_deploy.plugin_library.device_kernels import DeviceKernels, PreparedCall
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.workflows.selftest.cases import (
    Array,
    MatchCase,
    MergeCase,
    OpCase,
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
            yield MatchCase(Tokens(grid, stride, channels, ratio, batch, ties))
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
        return Verdict(*_repeat(call, found, verdict.finding)) if verdict.passed else verdict


def _repeat(call: PreparedCall, first: Sequence[Array], finding: str) -> tuple[bool, str]:
    expected = _bytes_of(first)
    changed = sum(_bytes_of(call.run()) != expected for _ in range(RUNS))
    if changed:
        return False, f"{changed} of {RUNS} runs gave other bits than the first"
    with call.captured() as launch:
        for _ in range(2):
            call.clear_outputs()
            launch()
            if _bytes_of(call.read()) != expected:
                return False, "a CUDA graph gave other bits than the plain call"
    return True, f"{finding}; the same in {RUNS} runs and in a CUDA graph"


def _bytes_of(outputs: Sequence[Array]) -> list[bytes]:
    return [output.tobytes() for output in outputs]
