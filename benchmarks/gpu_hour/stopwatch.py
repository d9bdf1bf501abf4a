"""Runs of PyTorch on a GPU, captured and timed; and a CPU that stands in for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch

Run = Callable[[], Any]


class GpuStopwatch:
    """Captures runs as CUDA graphs, and times them by CUDA's events."""

    device, dtype = "cuda", torch.float16
    rounds, least_turn_ms = 15, 20.0

    def capture(self, run: Callable[[], torch.Tensor]) -> tuple[Run, torch.Tensor]:
        """Record a run as a CUDA graph; return what replays it, and its result."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                run()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = run()
        graph.replay()
        torch.cuda.synchronize()
        return graph.replay, result

    def time(self, run: Run, count: int) -> float:
        """Return the milliseconds of one of `count` runs."""
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        for _ in range(count):
            run()
        end.record()
        torch.cuda.synchronize()
        return float(start.elapsed_time(end)) / count


class CpuStopwatch:
    """Runs once, in float32: whether a script runs to its end."""

    device, dtype = "cpu", torch.float32
    rounds, least_turn_ms = 1, 0.0

    def capture(self, run: Callable[[], torch.Tensor]) -> tuple[Run, torch.Tensor]:
        """Return what gives the result, and the result: patches of a capture do not last, and nor do those here."""
        result = run()
        return lambda: result, result

    def time(self, run: Run, count: int) -> float:
        """Return the milliseconds of one of `count` runs, more than none."""
        start = time.perf_counter()
        for _ in range(count):
            run()
        return max(1e3 * (time.perf_counter() - start) / count, 1e-6)
