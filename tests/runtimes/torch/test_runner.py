"""Runs on the CPU, and runs on a GPU with `torch.cuda` in host memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx.parser
import pytest
import torch

from segpp_deploy.config import Precision, TorchDevice
from segpp_deploy.errors import SegppError
from segpp_deploy.runtimes.torch.profile import CpuClock
from segpp_deploy.runtimes.torch.program import TorchProgram
from segpp_deploy.runtimes.torch.runner import CpuRunner, CudaRunner

DOUBLE = '<ir_version: 9, opset_import: ["" : 20]> g (float[B, 2] x) => (float[B, 2] y) { y = Add (x, x) }'


@pytest.fixture
def program() -> TorchProgram:
    return TorchProgram(onnx.parser.parse_model(DOUBLE), TorchDevice.CPU, Precision.FP32)


class FakeCuda:
    """`torch.cuda`, as far as `CudaRunner` calls it; a graph replays the runs that a program made in its capture."""

    def __init__(self, program: TorchProgram) -> None:
        self.calls: list[str] = []
        self.refuses = False
        self._capturing: Any = None
        self._run = program.run
        program.run = self._recorded  # type: ignore[method-assign]

    def _recorded(self, image: torch.Tensor, watch: Any = None) -> list[torch.Tensor]:
        self.calls.append("run")
        outputs = self._run(image, watch)
        if self._capturing is not None:
            self._capturing.again = lambda: [old.copy_(new) for old, new in zip(outputs, self._run(image), strict=True)]
            for output in outputs:
                output.zero_()  # nothing is computed while a graph is captured
        return outputs

    def Stream(self) -> SimpleNamespace:
        return SimpleNamespace(synchronize=lambda: self.calls.append("wait"))

    def stream(self, stream: object) -> Any:
        return nullcontext()

    def CUDAGraph(self) -> SimpleNamespace:
        graph = SimpleNamespace(again=lambda: None)
        graph.replay = lambda: (self.calls.append("replay"), graph.again())
        return graph

    @contextmanager
    def graph(self, graph: SimpleNamespace, stream: object) -> Iterator[None]:
        self._capturing = graph
        self.calls.append("capture")
        yield
        self._capturing = None
        if self.refuses:
            raise RuntimeError("operation not permitted when stream is capturing")


def images(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, 2)


def test_a_run_is_a_graph_from_the_second_on(program: TorchProgram) -> None:
    cuda = FakeCuda(program)
    runner = CudaRunner(program, cuda, pins=False)
    found = [runner.run(images(1, value))[0].tolist() for value in (2, 3, 4)]
    assert found == [[[2, 4]], [[2, 6]], [[2, 8]]]
    assert cuda.calls == ["run", "wait", "capture", "run", "replay", "wait", "replay", "wait"]
    assert runner.uses_cuda_graph


def test_another_batch_begins_anew(program: TorchProgram) -> None:
    cuda = FakeCuda(program)
    runner = CudaRunner(program, cuda, pins=False)
    for batch in (images(1, 2), images(1, 2)):
        runner.run(batch)
    assert runner.run(images(1, 2, 3, 4))[0].tolist() == [[2, 4], [6, 8]]
    assert not runner.uses_cuda_graph
    assert runner.run(images(5, 2, 3, 4))[0].tolist() == [[10, 4], [6, 8]]
    assert runner.uses_cuda_graph


def test_what_cannot_be_captured_runs_on_call_by_call(program: TorchProgram) -> None:
    cuda = FakeCuda(program)
    cuda.refuses = True
    runner = CudaRunner(program, cuda, pins=False)
    assert [runner.run(images(1, value))[0][0, 1] for value in (2, 3, 4)] == [4, 6, 8]
    assert cuda.calls.count("capture") == 1
    assert not runner.uses_cuda_graph


def test_a_profiled_run_is_no_graph(program: TorchProgram) -> None:
    cuda = FakeCuda(program)
    runner = CudaRunner(program, cuda, pins=False)
    clock = CpuClock()
    for _ in range(3):
        runner.run(images(1, 2), clock.watch)
    assert "capture" not in cuda.calls
    assert [time.operation for time in clock.read()] == ["Add"] * 3


def cpu(program: TorchProgram) -> CpuRunner:
    return CpuRunner(program, 1)


def cuda(program: TorchProgram) -> CudaRunner:
    return CudaRunner(program, FakeCuda(program), pins=False)


Make = Callable[[TorchProgram], CpuRunner | CudaRunner]


@pytest.mark.parametrize("make", [cpu, cuda])
def test_results_are_arrays_of_their_own(make: Make, program: TorchProgram) -> None:
    runner, given = make(program), images(1, 2)
    first = runner.run(given)[0]
    runner.run(images(7, 7))
    first[...] += 1
    assert first.tolist() == [[3, 5]]
    assert given.tolist() == [[1, 2]]


@pytest.mark.parametrize("make", [cpu, cuda])
def test_failing_runs(make: Make, program: TorchProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = make(program)

    def fail(*_: object) -> None:
        raise RuntimeError("out of memory\nand more")

    monkeypatch.setattr(program, "run", fail)
    with pytest.raises(SegppError, match="PyTorch failed while it ran the graph: out of memory"):
        runner.run(images(1, 2))


def test_threads_are_the_sessions_own(program: TorchProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    seen: list[int] = []
    run = program.run
    monkeypatch.setattr(program, "run", lambda *given: seen.append(torch.get_num_threads()) or run(*given))
    for threads in (1, 2):
        CpuRunner(program, threads).run(images(1, 2))
    assert seen == [1, 2]
    assert torch.get_num_threads() == before
