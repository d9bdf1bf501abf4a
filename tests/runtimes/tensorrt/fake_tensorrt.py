"""A TensorRT that runs: engines of one layer, thirds of the brightest channel, on the memory of `FakeCuda`."""

from __future__ import annotations

import json
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np

from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import TARGETS
from segpp_deploy.runtimes.tensorrt.api import MessageLog, TensorRt, make_logger
from tests.support.fake_cuda import FakeCuda, view

HEIGHT, WIDTH = 64, 96


class TensorIOMode(IntEnum):
    INPUT = 1
    OUTPUT = 2


class EngineValidity(IntEnum):
    VALID = 0
    INVALID = 2


class EngineInvalidityDiagnostics(IntEnum):
    VERSION_MISMATCH = 1
    UNSUPPORTED_CC = 2


class FakeTensorRt:
    """The module. The engine file's content decides: b"engine" loads, all else does not."""

    __version__ = "11.4.0"
    TensorIOMode = TensorIOMode
    EngineValidity = EngineValidity
    EngineInvalidityDiagnostics = EngineInvalidityDiagnostics
    LayerInformationFormat = SimpleNamespace(JSON="json")
    ComputeCapability = SimpleNamespace(NONE=0, CURRENT=1, SM75=75, SM89=89, SM120=120)

    class ILogger:
        ERROR, INTERNAL_ERROR, WARNING, INFO = range(4)

        def __init__(self) -> None:
            pass

    class IProfiler:
        def __init__(self) -> None:
            pass

    def __init__(self, cuda: FakeCuda, batch: int = 1, max_batch: int = 1) -> None:
        self.cuda, self.batch, self.max_batch = cuda, batch, max_batch
        self.contexts: list[FakeContext] = []
        self.context_is_refused = self.run_fails = False
        self.is_capturable: bool | None = None
        self.diagnostics: int | None = None
        self.output_type = "DataType.UINT8"
        self.outputs: tuple[str, ...] = ("labels",)
        self.registry = SimpleNamespace(loaded=[], load_library=self._load_library, answer=object())

    def Runtime(self, logger: Any) -> Any:
        runtime = SimpleNamespace(deserialize_cuda_engine=lambda content: self._deserialize(logger, content))
        if self.diagnostics is not None:
            validity = EngineValidity.INVALID if self.diagnostics else EngineValidity.VALID
            runtime.get_engine_validity = lambda content: (validity, self.diagnostics)
        return runtime

    def get_plugin_registry(self) -> Any:
        return self.registry

    def _load_library(self, path: str) -> Any:
        self.registry.loaded.append(path)
        return self.registry.answer

    def _deserialize(self, logger: Any, content: bytes) -> Any:
        if content != b"engine":
            logger.log(self.ILogger.ERROR, "the magic tag\n does not match")
            return None
        return FakeEngine(self, logger)


class FakeEngine:
    """An `ICudaEngine`."""

    def __init__(self, api: FakeTensorRt, logger: Any) -> None:
        self.api, self.logger = api, logger
        self._tensors = ("image", *api.outputs)
        self.num_io_tensors = len(self._tensors)

    def get_tensor_name(self, index: int) -> str:
        return self._tensors[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name == "image" else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> str:
        return "DataType.UINT8" if name == "image" else self.api.output_type

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (self.api.batch, HEIGHT, WIDTH, 3)[: 4 if name == "image" else 3]

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        return [(batch, HEIGHT, WIDTH, 3) for batch in (1, 1, self.api.max_batch)]

    def create_engine_inspector(self) -> Any:
        project = "encoder.stages.0.layers.0.feed_forward.project/node_conv2d_4"
        sources = f"[ONNX Layer: {project}]\x1e[ONNX Layer: encoder.stages.0.layers.0.feed_forward/node_add_1]"
        layers = [{"Name": "conv + bias", "Metadata": sources}, {"Name": "argmax", "Metadata": ""}]
        return SimpleNamespace(get_engine_information=lambda form: json.dumps({"Layers": layers}))

    def create_execution_context(self) -> Any:
        if self.api.context_is_refused:
            self.logger.log(self.api.ILogger.ERROR, "no memory for activations")
            return None
        self.api.contexts.append(FakeContext(self))
        return self.api.contexts[-1]


class FakeContext:
    """An `IExecutionContext`; `runs` counts what was queued, captured or not."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine, self._api = engine, engine.api
        self._addresses: dict[str, int] = {}
        self._batch = 0
        self.runs = 0
        self.profiler: Any = None
        if self._api.is_capturable is not None:
            self.is_stream_capturable = lambda stream: self._api.is_capturable

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._batch = shape[0]
        return shape[0] <= self._api.max_batch

    def execute_async_v3(self, stream: int) -> bool:
        if self._api.run_fails:
            self._engine.logger.log(self._api.ILogger.ERROR, "launch failure")
            return False
        self.runs += 1
        batch = self._batch
        self._api.cuda.queue(lambda: self._compute(batch))
        if self.profiler is not None:
            self.profiler.report_layer_time("conv + bias", 2.0)
            self.profiler.report_layer_time("argmax", 0.5)
        return True

    def _compute(self, batch: int) -> None:
        images = view(self._addresses["image"], "uint8", (batch, HEIGHT, WIDTH, 3))
        brightest = images.max(axis=3)
        labels = view(self._addresses["labels"], "uint8", (batch, HEIGHT, WIDTH))
        labels[:] = (brightest > 85).astype(np.uint8) + (brightest > 170)
        if "confidence" in self._addresses:
            view(self._addresses["confidence"], "uint8", (batch, HEIGHT, WIDTH))[:] = brightest


def wrap(api: FakeTensorRt, name: TargetName = TargetName.TENSORRT) -> TensorRt:
    """The fake as the product imports a flavour."""
    log = MessageLog()
    return TensorRt(TARGETS[name], api, log, make_logger(api, log))
