"""Running an engine on the GPU: buffers that are made once, and the whole run as one CUDA graph."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy import commands
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.contract import TensorSpec
from segpp_deploy.hardware.cuda_device import Device
from segpp_deploy.runtimes.device_buffers import TensorBuffers
from segpp_deploy.runtimes.tensorrt.api import TensorRt
from segpp_deploy.runtimes.tensorrt.loader import LoadedEngine


class EngineRunner:
    """Runs a loaded engine, one batch at a time.

    The first run of a batch size goes step by step, in which the engine sets itself up; from the second on it is one
    CUDA graph: the copy to the GPU, the engine with the pre- and post-processing inside it, and the copy back. Another
    batch size begins anew, since a graph holds the shapes it was captured with.

    Args:
        trt: the flavour.
        loaded: the engine.
        profile: report the time of every layer to `layer_times`; there is no graph then.
    """

    def __init__(self, trt: TensorRt, loaded: LoadedEngine, profile: bool = False) -> None:
        self.layer_times: list[list[tuple[str, float]]] = []
        self._trt, self._loaded, self._profile = trt, loaded, profile
        self._batch = 0
        self._graph: Any = None
        self._may_capture = not profile
        self._cleanup = contextlib.ExitStack()
        try:
            self._set_up()
        except BaseException:
            self.close()
            raise

    @property
    def uses_cuda_graph(self) -> bool:
        """Whether the last batch size runs as a CUDA graph."""
        return self._graph is not None

    def run(self, images: NDArray[Any]) -> list[NDArray[Any]]:
        """Compute one batch that fits the engine's input; returns every output, each an array of its own.

        Raises:
            SegppError: the batch is larger than the engine was built for, or the GPU fails.
        """
        batch = images.shape[0]
        if batch > self._loaded.max_batch:
            raise SegppError(
                f"The engine takes at most {self._loaded.max_batch} images at once, not {batch}.",
                f"1 to {self._loaded.max_batch} images.",
                commands.build_engine(max_batch=batch) + " builds one for more.",
            )
        np.copyto(self._input.host_view(batch), images)
        if batch != self._batch:
            self._start_batch(batch)
        elif self._graph is None and self._may_capture:
            self._capture()
        if self._graph is None:
            self._enqueue()
        else:
            self._device.launch(self._graph, self._stream)
        self._device.synchronize(self._stream)
        return [output.host_view(batch).copy() for output in self._outputs]

    def close(self) -> None:
        """Give everything back; may be called twice."""
        self._drop_graph()
        self._cleanup.close()

    def _set_up(self) -> None:
        self._device = Device()
        self._stream = self._device.create_stream()
        self._cleanup.callback(self._device.destroy_stream, self._stream)
        self._trt.log.clear()
        self._context = self._loaded.engine.create_execution_context()
        if self._context is None:
            raise self._trt.error(
                "The engine cannot be set up on this GPU", "enough free GPU memory.", "Close other programs that use it"
            )
        self._cleanup.callback(self._release_context)
        self._input, *self._outputs = map(self._make_buffers, (self._loaded.input, *self._loaded.outputs))
        if self._profile:
            self._profiler = _make_profiler(self._trt.api, self.layer_times)
            self._context.profiler = self._profiler

    def _make_buffers(self, spec: TensorSpec) -> TensorBuffers:
        buffers = TensorBuffers(self._device, spec, self._loaded.max_batch)
        self._cleanup.callback(buffers.free)
        self._context.set_tensor_address(spec.name, buffers.device_address)
        return buffers

    def _release_context(self) -> None:
        self._context = None

    def _start_batch(self, batch: int) -> None:
        self._drop_graph()
        shape = (batch, *self._loaded.input.shape[1:])
        if not self._context.set_input_shape(self._loaded.input.name, shape):
            raise self._trt.error("The engine refuses its input", f"{self._loaded.input}.", "Build the engine again")
        self._batch = batch

    def _enqueue(self) -> None:
        if self._profile:
            self.layer_times.append([])
        source, stream = self._input, self._stream
        self._device.copy_to_device(source.device_address, source.host_address, source.size_bytes(self._batch), stream)
        self._trt.log.clear()
        if not self._context.execute_async_v3(int(stream)):
            raise self._trt.error(
                "The engine failed while it ran",
                "an engine that runs, and enough GPU memory.",
                "Build the engine again on this machine",
            )
        for output in self._outputs:
            size = output.size_bytes(self._batch)
            self._device.copy_to_host(output.host_address, output.device_address, size, stream)

    def _capture(self) -> None:
        """Record one run; where the engine or CUDA refuses that, runs go on step by step."""
        self._may_capture = False
        capturable = getattr(self._context, "is_stream_capturable", None)
        if capturable is not None and not capturable(int(self._stream)):
            return
        self._device.begin_capture(self._stream)
        try:
            self._enqueue()
        except SegppError:
            with contextlib.suppress(SegppError):
                self._device.destroy_graph(self._device.end_capture(self._stream))
            return
        with contextlib.suppress(SegppError):
            self._graph = self._device.end_capture(self._stream)

    def _drop_graph(self) -> None:
        graph, self._graph = self._graph, None
        self._may_capture = not self._profile
        if graph is not None:
            self._device.destroy_graph(graph)


def _make_profiler(api: Any, runs: list[list[tuple[str, float]]]) -> Any:
    class Profiler(api.IProfiler):  # type: ignore[misc]
        """Notes the time of every layer in the run under way."""

        def __init__(self) -> None:
            api.IProfiler.__init__(self)

        def report_layer_time(self, layer_name: str, ms: float) -> None:
            runs[-1].append((layer_name, ms))

    return Profiler()
