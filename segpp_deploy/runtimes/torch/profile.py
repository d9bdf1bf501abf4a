"""The time of every call of a program in one run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from segpp_deploy.config import TorchDevice
from segpp_deploy.graph.network_parts import part_of
from segpp_deploy.runtimes.profiling import NodeTime
from segpp_deploy.runtimes.torch.program import Step


class CpuClock:
    """Reads the time around every call."""

    def __init__(self) -> None:
        self._times: list[NodeTime] = []

    @contextmanager
    def watch(self, step: Step) -> Iterator[None]:
        """Time one call."""
        start = time.perf_counter()
        yield
        self._times.append(_node_time(step, 1e3 * (time.perf_counter() - start)))

    def read(self) -> list[NodeTime]:
        """Return the times."""
        return self._times


class CudaClock:
    """Queues events around every call: the time on the GPU, whatever Python takes to queue it."""

    def __init__(self) -> None:
        self._events: list[tuple[Step, torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def watch(self, step: Step) -> Iterator[None]:
        """Time one call."""
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        yield
        end.record()
        self._events.append((step, start, end))

    def read(self) -> list[NodeTime]:
        """Return the times; the GPU is done."""
        return [_node_time(step, float(start.elapsed_time(end))) for step, start, end in self._events]


CLOCKS: dict[TorchDevice, type[CpuClock] | type[CudaClock]] = {
    TorchDevice.CPU: CpuClock,
    TorchDevice.CUDA: CudaClock,
}


def _node_time(step: Step, milliseconds: float) -> NodeTime:
    return NodeTime(step.operation, part_of(step.name), milliseconds)
