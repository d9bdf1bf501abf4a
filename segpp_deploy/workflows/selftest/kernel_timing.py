"""How long each kernel takes on the GPU, beside what its bytes alone would take at the measured bandwidth."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from segpp_deploy.config import Arch, Preset
from segpp_deploy.hardware.cuda_device import Device
from segpp_deploy.model.arch import ARCH_SPECS, SPATIAL_REDUCTION, reduced_grid, stage_grids
from segpp_deploy.model.plan import PRESETS, Bsm, count_sources, resolve_side
from segpp_deploy.ops.declaration import OpDeclaration
from segpp_deploy.ops.launches import MOST_TOKENS_OF_ONE_MATCH, MOST_TOKENS_OF_SELECT_AND_MERGE
from segpp_deploy.ops.token_match import TOKEN_MATCH
from segpp_deploy.ops.token_match_merge import TOKEN_MATCH_MERGE
from segpp_deploy.ops.token_merge import TOKEN_MERGE
from segpp_deploy.ops.token_merge_with_size import TOKEN_MERGE_WITH_SIZE
from segpp_deploy.plugin_library.device_kernels import DeviceKernels, PreparedCall, captured
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.report.tables import Column, Table
from segpp_deploy.workflows.selftest.cases import (
    MatchCase,
    MergeCase,
    OpCase,
    OpInputs,
    Tokens,
    UnmergeCase,
    UpsampleCase,
)

DTYPE = "float16"
SIZES_HW = ((1024, 1024), (1024, 2048))

_CALLS = 20  # in one graph: launches from the host would be timed otherwise
_REPEATS = 30
_MIB = 2**20
_FLUSH_BYTES = 256 * _MIB  # more than any L2 cache
_COPY_BYTES = 1024 * _MIB


@dataclass(frozen=True)
class KernelTiming:
    """One op at one shape.

    Args:
        op: its name.
        case: the shape.
        warm_us: median time of a call whose tensors are in the L2 cache as far as they fit.
        cold_us: the same after the cache was flushed.
        bytes_moved: inputs read once and the output written once.
        operations: multiplications and additions of a match; 0 for what only moves memory.
        roofline_us: what the bytes take at the copy bandwidth measured in the same run.
    """

    op: str
    case: str
    warm_us: float
    cold_us: float
    bytes_moved: int
    operations: int
    roofline_us: float

    @property
    def share(self) -> float:
        """Of the bandwidth that is reached with a cold cache."""
        return self.roofline_us / self.cold_us


@dataclass(frozen=True)
class KernelTimings:
    """Every op at the shapes of B0 and B5, and the bandwidth of a copy in GB/s, read and written."""

    copy_gb_s: float
    kernels: tuple[KernelTiming, ...]

    def table(self) -> Table:
        """Return a row per op and shape."""
        names = ("warm, us", "cold, us", "MB", "roofline, us", "share of it", "TFLOP/s")
        columns = (*(Column(name, is_number=False) for name in ("op", "case")), *map(Column, names))
        rows = tuple(
            (
                timing.op,
                timing.case,
                f"{timing.warm_us:.1f}",
                f"{timing.cold_us:.1f}",
                f"{timing.bytes_moved / 1e6:.1f}",
                f"{timing.roofline_us:.1f}",
                f"{timing.share:.0%}",
                f"{timing.operations / timing.warm_us / 1e6:.0f}" if timing.operations else "",
            )
            for timing in self.kernels
        )
        return Table(f"The kernels in {DTYPE}; a copy moves {self.copy_gb_s:.0f} GB/s", columns, rows)


def time_kernels(kernels: DeviceKernels, progress: Progress = no_progress) -> KernelTimings:
    """Time every op with a warm and with a cold cache."""
    step, timings = "Timing the kernels", []
    cases = timed_cases()
    progress(step, 0, len(cases))
    with Stopwatch(kernels.device) as stopwatch:
        for number, case in enumerate(cases, start=1):
            inputs = case.make_inputs(DTYPE)
            with kernels.prepared(case.op, inputs.tensors, inputs.attributes) as call:
                timings.append(_time(stopwatch, case, inputs, call))
            if isinstance(case, MatchCase) and case.tokens.num_tokens <= _most_tokens_with_slot(case):
                with kernels.prepared(case.op, inputs.tensors, inputs.attributes, has_slot=False) as call:
                    timing = _time(stopwatch, case, inputs, call)
                timings.append(replace(timing, case=f"{case}, without a slot"))
            progress(step, number, len(cases))
        return KernelTimings(stopwatch.copy_gb_s, tuple(timings))


def _most_tokens_with_slot(case: MatchCase) -> int:
    """Up to how many tokens a slot saves the op a launch."""
    return MOST_TOKENS_OF_ONE_MATCH if case.op is TOKEN_MATCH else MOST_TOKENS_OF_SELECT_AND_MERGE


def timed_cases() -> tuple[OpCase, ...]:
    """Return every side of `hq`, `fast` and their weighted forms in B0 and B5, and the labels of both heads."""
    cases: dict[str, OpCase] = {}

    def add(case: OpCase) -> None:
        cases.setdefault(f"{case.op.name} {case}", case)

    for size in SIZES_HW:
        for arch in (Arch.B0, Arch.B5):
            for grid, side, channels in _sides(arch, size):
                merge = resolve_side(side, grid)
                assert merge is not None  # no grid here is smaller than a cell
                tokens, rows = grid[0] * grid[1], merge.num_rows
                given = Tokens(grid, side.stride_yx, channels, side.ratio)
                add(MatchCase(given, is_large=True))
                if tokens <= MOST_TOKENS_OF_SELECT_AND_MERGE:
                    add(MatchCase(given, is_large=True, op=TOKEN_MATCH_MERGE))
                op = TOKEN_MERGE_WITH_SIZE if side.weighted else TOKEN_MERGE
                add(MergeCase(tokens, rows, channels, is_large=True, op=op))
                if grid == stage_grids(*size)[2] or grid == stage_grids(*size)[3]:
                    add(UnmergeCase(tokens, rows, channels, is_large=True))
        add(UpsampleCase(19, (size[0] // 4, size[1] // 4), size, is_large=True))
    return tuple(cases.values())


def _sides(arch: Arch, size: tuple[int, int]) -> list[tuple[tuple[int, int], Bsm, int]]:
    sides = []
    for preset in (Preset.HQ, Preset.FAST, Preset.HQ_PLUS, Preset.FAST_PLUS):
        stages = zip(
            PRESETS[preset].stages, stage_grids(*size), SPATIAL_REDUCTION, ARCH_SPECS[arch].widths, strict=True
        )
        for stage, grid, reduction, channels in stages:
            if isinstance(stage.kv, Bsm):
                sides.append((reduced_grid(grid, reduction), stage.kv, channels))
            if isinstance(stage.q, Bsm):
                sides.append((grid, stage.q, channels))
    return sides


class Stopwatch:
    """Times what is queued by CUDA's events; measures the bandwidth of a copy when it is entered."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._cleanup = ExitStack()
        self.copy_gb_s = 0.0

    def __enter__(self) -> Stopwatch:
        """Take the memory and measure the bandwidth."""
        device = self._device
        self._stream = device.create_stream()
        self._cleanup.callback(device.destroy_stream, self._stream)
        self._events = [device.create_event() for _ in range(2)]
        for event in self._events:
            self._cleanup.callback(device.destroy_event, event)
        self._memory = device.allocate(2 * _COPY_BYTES)
        self._cleanup.callback(device.free, self._memory)
        copy_ms = self.time_ms(
            self._stream,
            lambda: device.copy_on_device(self._memory, self._memory + _COPY_BYTES, _COPY_BYTES, self._stream),
        )
        self.copy_gb_s = 2 * _COPY_BYTES / copy_ms / 1e6
        return self

    def __exit__(self, *_: object) -> None:
        """Give everything back."""
        self._cleanup.close()

    def time_ms(self, stream: Any, queue: Callable[[], None], before: Callable[[], None] | None = None) -> float:
        """Return the median time of what `queue` queues; `before` queues what is not timed."""
        start, end = self._events
        times = []
        for _ in range(_REPEATS + 3):
            if before is not None:
                before()
            self._device.record(start, stream)
            queue()
            self._device.record(end, stream)
            self._device.synchronize(stream)
            times.append(self._device.elapsed_ms(start, end))
        return statistics.median(times[3:])

    def flush(self, stream: Any) -> None:
        """Queue writes that leave nothing of a call in the cache."""
        self._device.fill(self._memory, 0, _FLUSH_BYTES, stream)

    def roofline_us(self, bytes_moved: int) -> float:
        """Return the time of moving bytes at the bandwidth of a copy."""
        return bytes_moved / self.copy_gb_s / 1e3


def _time(stopwatch: Stopwatch, case: OpCase, inputs: OpInputs, call: PreparedCall) -> KernelTiming:
    with captured([call] * _CALLS) as launch:
        warm = stopwatch.time_ms(call.stream, launch) / _CALLS * 1e3
    with captured([call]) as launch:
        cold = stopwatch.time_ms(call.stream, launch, lambda: stopwatch.flush(call.stream)) * 1e3
    bytes_moved = sum(array.nbytes for array in inputs.tensors) + call.output_bytes
    return KernelTiming(
        op=case.op.name,
        case=str(case),
        warm_us=warm,
        cold_us=cold,
        bytes_moved=bytes_moved,
        operations=_count_operations(case.op, inputs),
        roofline_us=stopwatch.roofline_us(bytes_moved),
    )


def _count_operations(op: OpDeclaration, inputs: OpInputs) -> int:
    if op not in (TOKEN_MATCH, TOKEN_MATCH_MERGE):
        return 0
    batch, _, channels = inputs.tensors[0].shape
    grid_h, grid_w, stride_y, stride_x, _ = inputs.attributes.values()
    destinations, sources = count_sources((grid_h, grid_w), (stride_y, stride_x))
    return int(2 * batch * sources * destinations * channels)
