"""Runs a program on arrays: on the CPU as it is, on a GPU as one CUDA graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.runtimes.torch.info import TORCH
from segpp_deploy.runtimes.torch.program import TorchProgram, Watch

Array = NDArray[Any]


class CpuRunner:
    """Runs on the CPU.

    Args:
        program: what to run.
        threads: CPU threads; other sessions of this process keep theirs.
    """

    def __init__(self, program: TorchProgram, threads: int) -> None:
        self._program, self._threads = program, threads

    def run(self, images: Array, watch: Watch | None = None) -> list[Array]:
        """Return every output, each an array of its own.

        Raises:
            SegppError: PyTorch gives up, e.g. for lack of memory.
        """
        image = torch.from_numpy(np.require(images, requirements=["C", "W"]))  # torch warns of read-only memory
        with _explained(), _cpu_threads(self._threads), torch.inference_mode():
            return [np.array(_in_numpy_type(output).numpy()) for output in self._program.run(image, watch)]


class CudaRunner:
    """Runs on the GPU, one batch at a time, on a stream of its own.

    The first run of a batch size goes call by call, in which libraries set themselves up; from the second on it is one
    CUDA graph. Another batch size begins anew: a graph holds its shapes. A run that is profiled is never a graph.

    Args:
        program: what to run.
        cuda: `torch.cuda`.
        pins: whether memory on the host is pinned; copies of other memory wait.
    """

    def __init__(self, program: TorchProgram, cuda: Any = torch.cuda, pins: bool = True) -> None:
        self._program, self._cuda, self._pins = program, cuda, pins
        self._stream = cuda.Stream()
        self._batch = 0
        self._graph: Any = None
        self._may_capture = True
        self._captured: list[torch.Tensor] = []
        self._host_outputs: list[torch.Tensor] = []

    @property
    def uses_cuda_graph(self) -> bool:
        """Whether the last batch size runs as a CUDA graph."""
        return self._graph is not None

    def run(self, images: Array, watch: Watch | None = None) -> list[Array]:
        """Return every output, each an array of its own.

        Raises:
            SegppError: PyTorch or the GPU gives up, e.g. for lack of memory.
        """
        with _explained(), torch.inference_mode(), self._cuda.stream(self._stream):
            if len(images) != self._batch:
                self._start_batch(images)
            elif self._graph is None and self._may_capture and watch is None:
                self._capture()
            self._host_image.numpy()[...] = images
            self._image.copy_(self._host_image, non_blocking=True)
            if self._graph is None or watch is not None:
                outputs = self._compute(watch)
            else:
                self._graph.replay()
                outputs = self._captured
            return self._fetch(outputs)

    def _start_batch(self, images: Array) -> None:
        self._graph, self._may_capture = None, True
        self._captured, self._host_outputs = [], []
        dtype = torch.from_numpy(np.empty(0, images.dtype)).dtype
        self._host_image = self._host_tensor(images.shape, dtype)
        self._image = torch.empty(images.shape, dtype=dtype, device=self._program.device)
        self._batch = len(images)

    def _compute(self, watch: Watch | None = None) -> list[torch.Tensor]:
        return [_in_numpy_type(output) for output in self._program.run(self._image, watch)]

    def _capture(self) -> None:
        """Record a run; where CUDA refuses that, runs go on call by call."""
        self._may_capture = False
        graph = self._cuda.CUDAGraph()
        try:
            with self._cuda.graph(graph, stream=self._stream):
                self._captured = self._compute()
        except RuntimeError:
            self._captured = []
            self._stream.synchronize()
            return
        self._graph = graph

    def _fetch(self, outputs: list[torch.Tensor]) -> list[Array]:
        if not self._host_outputs:
            self._host_outputs = [self._host_tensor(output.shape, output.dtype) for output in outputs]
        for host, output in zip(self._host_outputs, outputs, strict=True):
            host.copy_(output, non_blocking=True)
        self._stream.synchronize()
        return [host.numpy().copy() for host in self._host_outputs]

    def _host_tensor(self, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
        return torch.empty(tuple(shape), dtype=dtype, pin_memory=self._pins)


def _in_numpy_type(output: torch.Tensor) -> torch.Tensor:
    return output.float() if output.dtype is torch.bfloat16 else output


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, IndexError, ValueError) as error:
        raise SegppError(
            f"{TORCH.runtime} failed while it ran the graph: {one_line(error)}",
            "a graph that runs, and enough memory for its activations.",
            "Use a smaller size or batch, or export the graph again.",
        ) from error


@contextmanager
def _cpu_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    if before == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
