"""ONNX Runtime on tensors that are bound once: pictures and labels go through pinned memory to the GPU's and back."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.graph.contract import TensorSpec, input_spec, output_specs
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.hardware.cuda_device import Device
from segpp_deploy.runtimes.device_buffers import TensorBuffers
from segpp_deploy.runtimes.onnxruntime.loader import explained

_FIRST_DEVICE = 0


class BoundRun:
    """Runs a session on memory of its own, which stays where it is as long as the batch size does.

    ONNX Runtime computes on a stream of its own, so copies are waited for before it starts.

    Args:
        session: an `onnxruntime.InferenceSession`.
        metadata: of its graph.
        memory: what ONNX Runtime calls the memory of its device.

    Raises:
        SegppError: CUDA's Python bindings are missing, or the GPU fails.
    """

    def __init__(self, session: Any, metadata: ExportMetadata, memory: str = "cuda") -> None:
        self._session, self._memory = session, memory
        self._specs = (input_spec(metadata), *output_specs(metadata))
        self._batch = 0
        self._device = Device()
        self._stream = self._device.create_stream()
        self._tensors = contextlib.ExitStack()

    def run(self, images: NDArray[Any]) -> list[NDArray[Any]]:
        """Compute one batch that fits the input; returns every output, each an array of its own.

        Raises:
            SegppError: ONNX Runtime or the GPU fails.
        """
        batch = len(images)
        if batch != self._batch:
            self._bind(batch)
        np.copyto(self._input.host_view(batch), images)
        source, stream = self._input, self._stream
        self._device.copy_to_device(source.device_address, source.host_address, source.size_bytes(batch), stream)
        self._device.synchronize(stream)
        with explained():
            self._session.run_with_iobinding(self._binding)
        for output in self._outputs:
            size = output.size_bytes(batch)
            self._device.copy_to_host(output.host_address, output.device_address, size, stream)
        self._device.synchronize(stream)
        return [output.host_view(batch).copy() for output in self._outputs]

    def close(self) -> None:
        """Give everything back."""
        self._tensors.close()
        self._device.destroy_stream(self._stream)

    def _bind(self, batch: int) -> None:
        self._tensors.close()
        self._batch = 0  # where memory is lacking, the next run begins here again
        self._binding = self._session.io_binding()
        source, *results = self._specs
        self._input = self._place(source, batch, self._binding.bind_input)
        self._outputs = [self._place(spec, batch, self._binding.bind_output) for spec in results]
        self._batch = batch

    def _place(self, spec: TensorSpec, batch: int, bind: Any) -> TensorBuffers:
        buffers = TensorBuffers(self._device, spec, batch)
        self._tensors.callback(buffers.free)
        shape, dtype = buffers.host_view(batch).shape, np.dtype(spec.dtype)
        bind(spec.name, self._memory, _FIRST_DEVICE, dtype, shape, buffers.device_address)
        return buffers
