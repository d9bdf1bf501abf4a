"""The kernels on the GPU that is here, on arrays and without TensorRT: queued, captured and timed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy import commands
from segpp_deploy.hardware.cuda_device import Device
from segpp_deploy.hardware.nvidia_gpu import require_gpu
from segpp_deploy.ops.declaration import OpDeclaration
from segpp_deploy.plugin_library.kernels import MATCH_SLOTS, KernelCall, KernelLibrary, describe_call
from segpp_deploy.plugin_library.library import find_plugin_library
from segpp_deploy.plugin_library.sources import LibraryKind

Array = NDArray[Any]

_POISON = 0xA5  # what memory holds before a kernel writes it


@dataclass(frozen=True)
class DeviceArray:
    """What a call writes on the GPU, for another to read: where it is, and what `KernelOutput` says of it."""

    address: int
    shape: tuple[int, ...]
    dtype: str


class PreparedCall:
    """One call with its tensors on the GPU.

    Args:
        library: the kernels.
        device: the GPU.
        stream: where everything is queued.
        call: what is computed.
        addresses: of the inputs, the outputs and the workspace.
    """

    def __init__(
        self, library: KernelLibrary, device: Device, stream: Any, call: KernelCall, addresses: Sequence[int | None]
    ) -> None:
        self.device, self.stream = device, stream
        self._library = library
        self._call = call
        *tensors, self._workspace = addresses
        first_output = len(tensors) - len(call.outputs)
        self._inputs = tensors[:first_output]
        self._outputs = [address for address in tensors[first_output:] if address is not None]

    def queue(self) -> None:
        """Queue the kernels; nothing is waited for."""
        self._library.launch(self._call, self._inputs, self._outputs, self._workspace, int(self.stream))

    def write(self, index: int, array: Array) -> None:
        """Replace an input, and wait for it."""
        address = self._inputs[index]
        assert address is not None
        self.device.copy_to_device(address, array.ctypes.data, array.nbytes, self.stream)
        self.device.synchronize(self.stream)

    def clear_outputs(self) -> None:
        """Fill the outputs with what no kernel writes."""
        for address, output in zip(self._outputs, self._call.outputs, strict=True):
            self.device.fill(address, _POISON, output.nbytes, self.stream)

    def read(self) -> tuple[Array, ...]:
        """Wait, and return the outputs."""
        arrays = tuple(np.empty(output.shape, output.dtype) for output in self._call.outputs)
        for address, array in zip(self._outputs, arrays, strict=True):
            self.device.copy_to_host(array.ctypes.data, address, array.nbytes, self.stream)
        self.device.synchronize(self.stream)
        return arrays

    def run(self) -> tuple[Array, ...]:
        """Clear the outputs, compute and return them."""
        self.clear_outputs()
        self.queue()
        return self.read()

    @property
    def output_bytes(self) -> int:
        """Size of the outputs."""
        return sum(output.nbytes for output in self._call.outputs)

    @property
    def outputs(self) -> tuple[DeviceArray, ...]:
        """The outputs, as inputs of another call on the same stream."""
        described = zip(self._outputs, self._call.outputs, strict=True)
        return tuple(DeviceArray(address, output.shape, output.dtype) for address, output in described)


@contextmanager
def captured(calls: Sequence[PreparedCall]) -> Iterator[Callable[[], None]]:
    """Record calls of one stream in a CUDA graph, one after the other, and give what queues it."""
    device, stream = calls[0].device, calls[0].stream
    device.begin_capture(stream)
    try:
        for call in calls:
            call.queue()
    finally:
        graph = device.end_capture(stream)
    try:
        yield lambda: device.launch(graph, stream)
    finally:
        device.destroy_graph(graph)


class DeviceKernels:
    """Runs one op at a time on the GPU.

    Raises:
        SegppError: the GPU or the library for it is missing.
    """

    def __init__(self) -> None:
        gpu = require_gpu()
        library = find_plugin_library(LibraryKind.KERNELS)
        library.require_runs_on(gpu.compute_capability)
        self.device = Device()
        self.description = f"{gpu.name}, compute capability {gpu.compute_capability}, {library.path.name}"
        self._library = KernelLibrary(library.path, commands.build_plugins(kernels=True))
        self._slots = itertools.cycle(range(MATCH_SLOTS))

    def run(self, op: OpDeclaration, inputs: Sequence[Array], attributes: Mapping[str, int]) -> tuple[Array, ...]:
        """Return the outputs of an op for inputs and attributes in the order of its declaration.

        Raises:
            SegppError: the kernel refuses the call, or the GPU fails.
        """
        with self.prepared(op, inputs, attributes) as call:
            return call.run()

    @contextmanager
    def prepared(
        self,
        op: OpDeclaration,
        inputs: Sequence[Array | DeviceArray],
        attributes: Mapping[str, int],
        *,
        has_slot: bool = True,
        stream: Any = None,
    ) -> Iterator[PreparedCall]:
        """Put the inputs of one call on the GPU, as long as the context lasts.

        Args:
            op: what is computed.
            inputs: in the order of the declaration; what another call writes is there already.
            attributes: in the order of the declaration.
            has_slot: see `KernelCall`.
            stream: that of another call; None for one of its own.
        """
        arrays = [array if isinstance(array, DeviceArray) else np.ascontiguousarray(array) for array in inputs]
        call = describe_call(op, [array.shape for array in arrays], np.dtype(arrays[0].dtype).name, attributes)
        call = replace(call, slot=next(self._slots) if has_slot else None)
        with ExitStack() as cleanup:
            if stream is None:
                stream = self.device.create_stream()
                cleanup.callback(self.device.destroy_stream, stream)

            def allocate(size_bytes: int) -> int | None:
                if not size_bytes:
                    return None
                address = self.device.allocate(size_bytes)
                cleanup.callback(self.device.free, address)
                return address

            workspace_bytes = self._library.workspace_bytes(call)
            addresses = [
                *(array.address if isinstance(array, DeviceArray) else allocate(array.nbytes) for array in arrays),
                *(allocate(output.nbytes) for output in call.outputs),
                allocate(workspace_bytes),
            ]
            if addresses[-1] is not None:
                self.device.fill(addresses[-1], _POISON, workspace_bytes, stream)
            prepared = PreparedCall(self._library, self.device, stream, call, addresses)
            for index, array in enumerate(arrays):
                if not isinstance(array, DeviceArray):
                    prepared.write(index, array)
            yield prepared
            self.device.synchronize(stream)
