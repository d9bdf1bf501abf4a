"""The few calls of the CUDA runtime that we make: memory, copies, one stream, one captured graph, events."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.errors import SegppError
from segpp_deploy.hardware.nvidia_gpu import describe_error, import_cuda

_OUT_OF_MEMORY = "cudaErrorMemoryAllocation"


class Device:
    """The current GPU through `cuda.bindings.runtime`; addresses are ints.

    Raises:
        SegppError: from every method: CUDA reports an error.
    """

    def __init__(self) -> None:
        self._cuda = import_cuda()

    def allocate(self, size_bytes: int) -> int:
        """Return device memory."""
        return int(self._check(self._cuda.cudaMalloc(size_bytes)))

    def free(self, address: int) -> None:
        """Give device memory back."""
        self._check(self._cuda.cudaFree(address))

    def allocate_pinned(self, size_bytes: int) -> int:
        """Return host memory that the GPU copies from and to without a detour."""
        return int(self._check(self._cuda.cudaMallocHost(size_bytes)))

    def free_pinned(self, address: int) -> None:
        """Give pinned memory back."""
        self._check(self._cuda.cudaFreeHost(address))

    def create_stream(self) -> Any:
        """Return a stream that does not wait for the default one."""
        return self._check(self._cuda.cudaStreamCreateWithFlags(self._cuda.cudaStreamNonBlocking))

    def destroy_stream(self, stream: Any) -> None:
        """Give a stream back."""
        self._check(self._cuda.cudaStreamDestroy(stream))

    def copy_to_device(self, device: int, host: int, size_bytes: int, stream: Any) -> None:
        """Queue a copy of pinned memory to the GPU."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._check(self._cuda.cudaMemcpyAsync(device, host, size_bytes, kind, stream))

    def copy_to_host(self, host: int, device: int, size_bytes: int, stream: Any) -> None:
        """Queue a copy from the GPU to pinned memory."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._check(self._cuda.cudaMemcpyAsync(host, device, size_bytes, kind, stream))

    def copy_on_device(self, target: int, source: int, size_bytes: int, stream: Any) -> None:
        """Queue a copy from the GPU's memory to itself."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToDevice
        self._check(self._cuda.cudaMemcpyAsync(target, source, size_bytes, kind, stream))

    def fill(self, device: int, value: int, size_bytes: int, stream: Any) -> None:
        """Queue the same value for every byte."""
        self._check(self._cuda.cudaMemsetAsync(device, value, size_bytes, stream))

    def create_event(self) -> Any:
        """Return an event that can be timed."""
        return self._check(self._cuda.cudaEventCreate())

    def destroy_event(self, event: Any) -> None:
        """Give an event back."""
        self._check(self._cuda.cudaEventDestroy(event))

    def record(self, event: Any, stream: Any) -> None:
        """Queue an event."""
        self._check(self._cuda.cudaEventRecord(event, stream))

    def elapsed_ms(self, start: Any, end: Any) -> float:
        """Return the time between two events that have passed."""
        return float(self._check(self._cuda.cudaEventElapsedTime(start, end)))

    def synchronize(self, stream: Any) -> None:
        """Wait for all that was queued."""
        self._check(self._cuda.cudaStreamSynchronize(stream))

    def begin_capture(self, stream: Any) -> None:
        """Record what this thread queues from now on instead of running it."""
        mode = self._cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._check(self._cuda.cudaStreamBeginCapture(stream, mode))

    def end_capture(self, stream: Any) -> Any:
        """Return what was recorded as a graph that can be launched."""
        graph = self._check(self._cuda.cudaStreamEndCapture(stream))
        try:
            return self._check(self._cuda.cudaGraphInstantiate(graph, 0))
        finally:
            self._check(self._cuda.cudaGraphDestroy(graph))

    def launch(self, graph: Any, stream: Any) -> None:
        """Queue a graph."""
        self._check(self._cuda.cudaGraphLaunch(graph, stream))

    def destroy_graph(self, graph: Any) -> None:
        """Give a graph back."""
        self._check(self._cuda.cudaGraphExecDestroy(graph))

    def _check(self, answer: tuple[Any, ...]) -> Any:
        error, *values = answer
        if error == self._cuda.cudaError_t.cudaSuccess:
            return values[0] if values else None
        is_memory = error == getattr(self._cuda.cudaError_t, _OUT_OF_MEMORY)
        raise SegppError(
            f"CUDA failed: {describe_error(self._cuda, error)}.",
            "a GPU with enough free memory." if is_memory else "a GPU that works.",
            "Close other programs that use the GPU, or export with a smaller size or batch."
            if is_memory
            else "Run it again; if it fails each time, build the engine again on this machine.",
        )


def view_memory(address: int, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return host memory as an array, without a copy."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = (ctypes.c_uint8 * size).from_address(address)
    array: NDArray[Any] = np.ctypeslib.as_array(buffer).view(dtype).reshape(shape)
    return array
