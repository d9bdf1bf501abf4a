"""Networks of one plugin each, built and run on the GPU that is here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy import commands
from segpp_deploy.errors import SegppError
from segpp_deploy.hardware.cuda_device import Device, view_memory
from segpp_deploy.hardware.nvidia_gpu import require_gpu
from segpp_deploy.ops.declaration import DOMAIN, PLUGIN_VERSION, OpDeclaration
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.tensorrt.api import TensorRt, import_tensorrt
from segpp_deploy.runtimes.tensorrt.network import number_format, strongly_typed
from segpp_deploy.runtimes.tensorrt.plugins import load_plugins

Array = NDArray[Any]

_REPORT = "Report this, together with what the machine looks like: " + commands.doctor()


class OnePluginNetworks:
    """Runs one op at a time on arrays, each call in an engine of its own.

    Raises:
        SegppError: TensorRT, the GPU or the plugin library is missing.
    """

    def __init__(self) -> None:
        self._trt = import_tensorrt(TargetName.TENSORRT)
        load_plugins(self._trt, require_gpu().compute_capability)
        self._device = Device()

    def run(self, op: OpDeclaration, inputs: Sequence[Array], attributes: Mapping[str, int]) -> tuple[Array, ...]:
        """Return the plugin's outputs, in the types that TensorRT gives them.

        Raises:
            SegppError: TensorRT refuses the plugin, or the GPU fails.
        """
        arrays = [np.ascontiguousarray(array) for array in inputs]
        runtime = self._trt.api.Runtime(self._trt.logger)
        engine = runtime.deserialize_cuda_engine(self._build(op, arrays, attributes))
        if engine is None:
            raise self._trt.error(f"The engine of one {op.name} cannot be loaded", "an engine that loads.", _REPORT)
        return self._execute(op, engine, arrays)

    def _build(self, op: OpDeclaration, arrays: list[Array], attributes: Mapping[str, int]) -> Any:
        api, trt = self._trt.api, self._trt
        trt.log.clear()
        builder = api.Builder(trt.logger)
        network = builder.create_network(strongly_typed(api))
        tensors = [
            network.add_input(declared.name, _data_type(api, array), array.shape)
            for declared, array in zip(op.inputs, arrays, strict=False)  # the last input may be optional
        ]
        layer = network.add_plugin_v3(tensors, [], create_plugin(trt, op, attributes))
        if layer is None:
            raise trt.error(f"TensorRT does not take the plugin {op.name}", "a plugin that it takes.", _REPORT)
        for index, declared in enumerate(op.outputs):
            output = layer.get_output(index)
            output.name = declared.name
            network.mark_output(output)
        plan = builder.build_serialized_network(network, builder.create_builder_config())
        if plan is None:
            raise trt.error(f"TensorRT cannot build one {op.name}", "an engine.", _REPORT)
        return plan

    def _execute(self, op: OpDeclaration, engine: Any, arrays: list[Array]) -> tuple[Array, ...]:
        device, context = self._device, engine.create_execution_context()
        if context is None:
            raise self._trt.error(f"One {op.name} cannot be set up on this GPU", "enough free GPU memory.", _REPORT)
        with ExitStack() as cleanup:
            stream = device.create_stream()
            cleanup.callback(device.destroy_stream, stream)

            def make_buffers(name: str, size_bytes: int) -> tuple[int, int]:
                on_device, on_host = device.allocate(size_bytes), device.allocate_pinned(size_bytes)
                cleanup.callback(device.free, on_device)
                cleanup.callback(device.free_pinned, on_host)
                context.set_tensor_address(name, on_device)
                return on_device, on_host

            for declared, array in zip(op.inputs, arrays, strict=False):
                on_device, on_host = make_buffers(declared.name, array.nbytes)
                view_memory(on_host, array.dtype.name, array.shape)[...] = array
                device.copy_to_device(on_device, on_host, array.nbytes, stream)
            outputs = []
            for declared in op.outputs:
                shape = tuple(engine.get_tensor_shape(declared.name))
                dtype = number_format(self._trt.api, engine.get_tensor_dtype(declared.name))
                size = int(np.prod(shape)) * np.dtype(dtype).itemsize
                outputs.append((*make_buffers(declared.name, size), size, dtype, shape))
            if not context.execute_async_v3(int(stream)):
                raise self._trt.error(f"The plugin {op.name} failed while it ran", "a plugin that runs.", _REPORT)
            for on_device, on_host, size, *_ in outputs:
                device.copy_to_host(on_host, on_device, size, stream)
            device.synchronize(stream)
            return tuple(view_memory(on_host, dtype, shape).copy() for _, on_host, _, dtype, shape in outputs)


def create_plugin(trt: TensorRt, op: OpDeclaration, attributes: Mapping[str, int]) -> Any:
    """Return an `IPluginV3` of the registered library.

    Raises:
        SegppError: its creator is not registered or refuses the attributes.
    """
    api = trt.api
    creator = api.get_plugin_registry().get_creator(op.name, PLUGIN_VERSION, DOMAIN)
    if creator is None:
        raise SegppError(
            f"The plugin library registered no creator for {DOMAIN}::{op.name} version {PLUGIN_VERSION}.",
            "a library built from the sources of this version.",
            commands.build_plugins(),
        )
    values = {name: np.array([value], np.int32) for name, value in attributes.items()}  # fields only point at these
    fields = [api.PluginField(name, value, api.PluginFieldType.INT32) for name, value in values.items()]
    trt.log.clear()
    plugin = creator.create_plugin(op.name, api.PluginFieldCollection(fields), api.TensorRTPhase.BUILD)
    if plugin is None:
        raise trt.error(f"The plugin {op.name} refuses {dict(attributes)}", "attributes that fit.", _REPORT)
    return plugin


def _data_type(api: Any, array: Array) -> Any:
    return {"float32": api.float32, "float16": api.float16, "int32": api.int32}[array.dtype.name]
