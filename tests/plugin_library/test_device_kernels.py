"""The kernels as on a GPU, with the host build and a CUDA runtime in host memory in its place."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from segpp_deploy.hardware import cuda_device, nvidia_gpu
from segpp_deploy.ops.token_match import TOKEN_MATCH
from segpp_deploy.ops.token_unmerge import TOKEN_UNMERGE
from segpp_deploy.plugin_library import device_kernels
from segpp_deploy.plugin_library.device_kernels import DeviceKernels, captured
from segpp_deploy.plugin_library.kernels import KernelCall, KernelLibrary
from segpp_deploy.workflows.selftest import device_checks, kernel_timing
from segpp_deploy.workflows.selftest import run as selftest
from segpp_deploy.workflows.selftest.cases import CASES, MatchCase, Tokens
from segpp_deploy.workflows.selftest.device_checks import check_device_kernels, random_cases
from segpp_deploy.workflows.selftest.run import SelftestOptions, run_selftest
from tests.plugins.native import build_host
from tests.support.fake_cuda import FakeCuda

ROWS = np.array([[[1.0, 2.0], [3.0, 4.0]]], np.float32)
ROW_OF_TOKEN = np.array([[1, 0, 1]], np.int32)


def library_with(launched: Callable[[KernelCall, Sequence[int], Callable[[], None]], None]) -> type[KernelLibrary]:
    """A library of kernels that gives each call to `launched`, with its outputs and what launches it."""

    class Library(KernelLibrary):
        def launch(
            self,
            call: KernelCall,
            inputs: Sequence[int | None],
            outputs: Sequence[int],
            workspace: int | None,
            stream: int = 0,
        ) -> None:
            launched(call, outputs, functools.partial(super().launch, call, inputs, outputs, workspace, stream))

    return Library


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """A machine with a GPU, whose library of kernels is the host build."""
    cuda = FakeCuda(memory_bytes=1 << 26)
    library = SimpleNamespace(path=build_host("segpp_host"), require_runs_on=lambda capability: None)

    monkeypatch.setattr(nvidia_gpu, "has_nvidia_gpu", lambda: True)
    for module in (nvidia_gpu, cuda_device):
        monkeypatch.setattr(module, "import_cuda", lambda: cuda)
    monkeypatch.setattr(device_kernels, "find_plugin_library", lambda kind: library)
    queued = library_with(lambda call, outputs, launch: cuda.queue(launch))  # through the stream, as a GPU's are
    monkeypatch.setattr(device_kernels, "KernelLibrary", queued)
    for name in ("_FLUSH_BYTES", "_COPY_BYTES"):
        monkeypatch.setattr(kernel_timing, name, 1 << 16)
    for name in ("_CALLS", "_REPEATS"):
        monkeypatch.setattr(kernel_timing, name, 2)
    return cuda


def test_an_op_runs_and_leaves_no_memory(cuda: FakeCuda) -> None:
    (output,) = DeviceKernels().run(TOKEN_UNMERGE, [ROWS, ROW_OF_TOKEN], {})
    assert output.tolist() == [[[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]]
    assert not cuda.live


def test_a_graph_takes_what_the_inputs_hold_when_it_is_launched(cuda: FakeCuda) -> None:
    with DeviceKernels().prepared(TOKEN_UNMERGE, [ROWS, ROW_OF_TOKEN], {}) as call, captured([call]) as launch:
        call.write(0, 10 * ROWS)
        launch()
        assert call.read()[0].tolist() == [[[30.0, 40.0], [10.0, 20.0], [30.0, 40.0]]]
    assert not cuda.live


def test_selftest(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tuple({case.op: case for case in CASES if not case.is_large}.values())
    monkeypatch.setattr(device_checks, "RUNS", 2)
    monkeypatch.setattr(selftest, "random_cases", lambda: list(random_cases(1))[-2:])
    monkeypatch.setattr(kernel_timing, "timed_cases", lambda: small[:1])
    result = run_selftest(SelftestOptions(kernels=True, cases=small))
    assert result.passed, [check for check in result.checks if not check.passed]
    assert len(result.checks) == 2 * (len(small) + 2)
    assert "a GPU in host memory" in result.where
    timings = result.to_dict()["timings"]["kernels"]
    assert [timing["case"].endswith(", without a slot") for timing in timings] == [False, True]
    assert all(timing["warm_us"] > 0 and timing["cold_us"] > 0 for timing in timings)
    assert not cuda.live


def test_results_that_change_are_found(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []

    def spoil_one(call: KernelCall, outputs: Sequence[int], launch: Callable[[], None]) -> None:
        launch()
        runs.append(outputs[0])
        if len(runs) == 5:
            cuda_device.view_memory(outputs[0], "uint8", (1,))[0] ^= 1

    monkeypatch.setattr(device_kernels, "KernelLibrary", library_with(spoil_one))
    case = next(case for case in CASES if case.op is TOKEN_UNMERGE)
    result = check_device_kernels(DeviceKernels(), [case])[0]
    assert (result.passed, result.finding) == (False, "1 of 100 runs gave other bits than the first")


def test_a_merge_that_does_not_wait_for_the_match_is_found(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> None:
    matches: list[Callable[[], None]] = []  # that did not end yet
    copy = cuda.cudaMemcpyAsync

    def end_matches() -> None:
        while matches:
            matches.pop()()

    def overtake_matches(call: KernelCall, outputs: Sequence[int], launch: Callable[[], None]) -> None:
        if call.op is TOKEN_MATCH:
            matches.append(launch)
        else:
            launch()
            end_matches()

    def copy_after_matches(*arguments: int) -> tuple[Any]:
        end_matches()
        return copy(*arguments)

    monkeypatch.setattr(device_kernels, "KernelLibrary", library_with(overtake_matches))
    monkeypatch.setattr(cuda, "cudaMemcpyAsync", copy_after_matches)
    monkeypatch.setattr(device_checks, "RUNS", 2)
    result = check_device_kernels(DeviceKernels(), [MatchCase(Tokens((4, 4), (2, 2), 8, ratio=0.5))])[0]
    assert (result.passed, result.finding) == (False, "2 of 2 runs gave other bits than the first")


def test_random_cases_are_the_same_each_time() -> None:
    assert list(map(str, random_cases(3))) == list(map(str, random_cases(3)))


def test_the_library_of_another_build_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEGPP_CACHE", str(tmp_path))
    monkeypatch.setattr(device_kernels, "require_gpu", lambda: SimpleNamespace(name="a GPU", compute_capability="9.0"))
    with pytest.raises(Exception, match="The kernels were not compiled yet") as caught:
        DeviceKernels()
    assert getattr(caught.value, "fix", "") == "segpp-deploy plugins build --kernels"
