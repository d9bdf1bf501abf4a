"""A CUDA runtime in host memory: the calls of `cuda.bindings.runtime` that we make, in its own calling convention.

Queued work runs at once, or is recorded while the stream captures; a launch replays it.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

from segpp_deploy.hardware.cuda_device import view_memory

Operation = Callable[[], None]
FIRST_STREAM = 4096


class Error(IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorStreamCaptureUnsupported = 900


class FakeCuda:
    """The module; `calls` counts every call and `live` holds what was not given back."""

    cudaError_t = Error
    cudaStreamNonBlocking = 1
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2, cudaMemcpyDeviceToDevice=3)
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)
    cudaDeviceAttr = SimpleNamespace(cudaDevAttrComputeCapabilityMajor=75, cudaDevAttrComputeCapabilityMinor=76)

    def __init__(self, memory_bytes: int = 1 << 24) -> None:
        self.calls: list[str] = []
        self.live: dict[int, Any] = {}
        self.memory_bytes = memory_bytes
        self.capture_error = Error.cudaSuccess
        self.device_count: tuple[Error, int | None] = (Error.cudaSuccess, 1)
        self._recording: list[Operation] | None = None
        self._next_handle = FIRST_STREAM

    def queue(self, operation: Operation) -> None:
        """Run an operation, or record it."""
        if self._recording is None:
            operation()
        else:
            self._recording.append(operation)

    @property
    def is_capturing(self) -> bool:
        return self._recording is not None

    def cudaGetDeviceCount(self) -> tuple[Error, int | None]:
        return self.device_count

    def cudaDriverGetVersion(self) -> tuple[Error, int]:
        return Error.cudaSuccess, 13020

    def cudaRuntimeGetVersion(self) -> tuple[Error, int]:
        return Error.cudaSuccess, 13050

    def cudaDeviceGetAttribute(self, attribute: int, number: int) -> tuple[Error, int]:
        return Error.cudaSuccess, {75: 8, 76: 9}[attribute]

    def cudaGetDeviceProperties(self, number: int) -> tuple[Error, Any]:
        return Error.cudaSuccess, SimpleNamespace(name=b"a GPU in host memory")

    def cudaGetErrorString(self, error: Error) -> tuple[Error, bytes]:
        return Error.cudaSuccess, {2: b"out of memory", 35: b"driver too old"}.get(error, b"not permitted")

    def cudaMalloc(self, size: int) -> tuple[Error, int | None]:
        return self._allocate("cudaMalloc", size)

    def cudaMallocHost(self, size: int) -> tuple[Error, int | None]:
        return self._allocate("cudaMallocHost", size)

    def cudaFree(self, address: int) -> tuple[Error]:
        return self._release("cudaFree", address)

    def cudaFreeHost(self, address: int) -> tuple[Error]:
        return self._release("cudaFreeHost", address)

    def cudaStreamCreateWithFlags(self, flags: int) -> tuple[Error, int]:
        return Error.cudaSuccess, self._keep("cudaStreamCreateWithFlags", "stream")

    def cudaStreamDestroy(self, stream: int) -> tuple[Error]:
        return self._release("cudaStreamDestroy", stream)

    def cudaStreamSynchronize(self, stream: int) -> tuple[Error]:
        self.calls.append("cudaStreamSynchronize")
        return (Error.cudaSuccess,)

    def cudaMemcpyAsync(self, target: int, source: int, size: int, kind: int, stream: int) -> tuple[Error]:
        self.calls.append("cudaMemcpyAsync")
        self.queue(lambda: _discard(ctypes.memmove(target, source, size)))
        return (Error.cudaSuccess,)

    def cudaMemsetAsync(self, target: int, value: int, size: int, stream: int) -> tuple[Error]:
        self.queue(lambda: _discard(ctypes.memset(target, value, size)))
        return (Error.cudaSuccess,)

    def cudaEventCreate(self) -> tuple[Error, int]:
        return Error.cudaSuccess, self._keep("cudaEventCreate", 0.0)

    def cudaEventRecord(self, event: int, stream: int) -> tuple[Error]:
        self.live[event] = time.perf_counter()
        return (Error.cudaSuccess,)

    def cudaEventElapsedTime(self, start: int, end: int) -> tuple[Error, float]:
        return Error.cudaSuccess, 1e3 * (self.live[end] - self.live[start])

    def cudaEventDestroy(self, event: int) -> tuple[Error]:
        return self._release("cudaEventDestroy", event)

    def cudaStreamBeginCapture(self, stream: int, mode: int) -> tuple[Error]:
        self.calls.append("cudaStreamBeginCapture")
        self._recording = []
        return (Error.cudaSuccess,)

    def cudaStreamEndCapture(self, stream: int) -> tuple[Error, int | None]:
        recording, self._recording = self._recording, None
        if self.capture_error:
            return self.capture_error, None
        return Error.cudaSuccess, self._keep("cudaStreamEndCapture", recording)

    def cudaGraphInstantiate(self, graph: int, flags: int) -> tuple[Error, int]:
        return Error.cudaSuccess, self._keep("cudaGraphInstantiate", self.live[graph])

    def cudaGraphDestroy(self, graph: int) -> tuple[Error]:
        return self._release("cudaGraphDestroy", graph)

    def cudaGraphLaunch(self, graph: int, stream: int) -> tuple[Error]:
        self.calls.append("cudaGraphLaunch")
        for operation in self.live[graph]:
            operation()
        return (Error.cudaSuccess,)

    def cudaGraphExecDestroy(self, graph: int) -> tuple[Error]:
        return self._release("cudaGraphExecDestroy", graph)

    def _allocate(self, call: str, size: int) -> tuple[Error, int | None]:
        self.calls.append(call)
        if size > self.memory_bytes:
            return Error.cudaErrorMemoryAllocation, None
        buffer = ctypes.create_string_buffer(size)
        address = ctypes.addressof(buffer)
        self.live[address] = buffer
        return Error.cudaSuccess, address

    def _keep(self, call: str, value: Any) -> int:
        self.calls.append(call)
        self._next_handle += 1
        self.live[self._next_handle] = value
        return self._next_handle

    def _release(self, call: str, handle: int) -> tuple[Error]:
        self.calls.append(call)
        del self.live[handle]
        return (Error.cudaSuccess,)


def _discard(_: int) -> None:
    """The address that ctypes returns is of no use."""


def view(address: int, dtype: str, shape: tuple[int, ...]) -> Any:
    """Host memory as an array, for fakes of what runs on the device."""
    return view_memory(address, dtype, shape)
