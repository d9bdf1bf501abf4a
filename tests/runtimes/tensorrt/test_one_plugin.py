"""Networks of one plugin on a fake GPU: what is built, copied, run and given back. No real GPU has run it."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from segpp_deploy.errors import SegppError
from segpp_deploy.ops.declaration import FLOATS
from segpp_deploy.ops.registry import DECLARATIONS
from segpp_deploy.runtimes.tensorrt import one_plugin
from segpp_deploy.runtimes.tensorrt.one_plugin import OnePluginNetworks, create_plugin
from segpp_deploy.workflows.selftest.cases import CASES, OpCase, UnmergeCase
from segpp_deploy.workflows.selftest.op_checks import check_op
from tests.runtimes.tensorrt.fake_tensorrt import FakeTensorRt, wrap
from tests.support.fake_cuda import FakeCuda, view

FIRST_CASES = [next(case for case in CASES if case.op.name == name) for name in DECLARATIONS]
NO_RESIDUAL = next(case for case in CASES if isinstance(case, UnmergeCase) and not case.has_residual)


class FakePluginApi(FakeTensorRt):
    """A TensorRT whose networks are one plugin, computed by the PyTorch reference; `missing` makes a step fail."""

    float32, float16, int32 = "DataType.FLOAT", "DataType.HALF", "DataType.INT32"
    NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)
    PluginFieldType = SimpleNamespace(INT32="int32")
    TensorRTPhase = SimpleNamespace(BUILD="build")
    PluginField = staticmethod(lambda name, data, kind: (name, int(data[0])))
    PluginFieldCollection = dict

    def __init__(self, cuda: FakeCuda) -> None:
        super().__init__(cuda)
        self.missing = ""
        self.flags: list[int] = []
        self.registry.get_creator = self._get_creator

    def _get_creator(self, name: str, version: str, namespace: str) -> Any:
        if self.missing == "creator":
            return None
        assert (version, namespace) == ("1", "segpp")
        return SimpleNamespace(create_plugin=self._create_plugin)

    def _create_plugin(self, name: str, fields: Mapping[str, int], phase: str) -> Any:
        return None if self.missing == "plugin" else SimpleNamespace(op=name, fields=fields)

    def Builder(self, logger: Any) -> Any:
        return SimpleNamespace(
            create_network=self._create_network,
            create_builder_config=object,
            build_serialized_network=lambda network, config: None if self.missing == "plan" else network,
        )

    def _create_network(self, flags: int) -> Any:
        self.flags.append(flags)
        network = SimpleNamespace(inputs=[], plugin=None, outputs=[])

        def add_plugin(inputs: list[Any], shapes: list[Any], plugin: Any) -> Any:
            assert (inputs, shapes) == (network.inputs, [])
            network.plugin = plugin
            layer = SimpleNamespace(get_output=lambda index: SimpleNamespace(name="unnamed"))
            return None if self.missing == "layer" else layer

        network.add_input = lambda *tensor: network.inputs.append(tensor) or tensor
        network.add_plugin_v3 = add_plugin
        network.mark_output = lambda tensor: network.outputs.append(tensor.name)
        return network

    def _deserialize(self, logger: Any, network: Any) -> Any:
        return None if self.missing == "engine" else FakePluginEngine(self, network)


class FakePluginEngine:
    """Engine and context in one."""

    def __init__(self, api: FakePluginApi, network: Any) -> None:
        self._api, self._network = api, network
        self._addresses: dict[str, int] = {}
        self._op = DECLARATIONS[network.plugin.op]
        types = {
            FLOATS: network.inputs[0][1],
            ("float32",): api.float32,
            ("int32",): api.int32,
            ("uint8",): api.float16,
        }
        self._dtypes = {tensor.name: types[tensor.dtypes] for tensor in self._op.outputs}

    def create_execution_context(self) -> Any:
        return None if self._api.missing == "context" else self

    def get_tensor_shape(self, name: str) -> list[Any]:
        names = [tensor.name for tensor in self._op.outputs]
        assert self._network.outputs == names
        inputs = [shape for _, _, shape in self._network.inputs]
        return self._op.infer_shapes(inputs, self._network.plugin.fields)[names.index(name)]

    def get_tensor_dtype(self, name: str) -> str:
        return self._dtypes[name]

    def set_tensor_address(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        names = {"DataType.FLOAT": "float32", "DataType.HALF": "float16", "DataType.INT32": "int32"}
        tensors = [
            torch.from_numpy(view(self._addresses[name], names[dtype], shape).copy())
            for name, dtype, shape in self._network.inputs
        ]
        fields: Mapping[str, int] = self._network.plugin.fields
        returned = getattr(torch.ops.segpp, self._op.stem)(*tensors, **fields)
        outputs = (returned,) if isinstance(returned, torch.Tensor) else returned
        for (name, dtype), output in zip(self._dtypes.items(), outputs, strict=True):
            view(self._addresses[name], names[dtype], output.shape)[...] = output.numpy()
        return self._api.missing != "run"


@pytest.fixture
def api(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> FakePluginApi:
    fake = FakePluginApi(cuda)
    monkeypatch.setattr(one_plugin, "import_tensorrt", lambda name: wrap(fake))
    monkeypatch.setattr(one_plugin, "load_plugins", lambda trt, capability: None)
    return fake


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("case", [*FIRST_CASES, NO_RESIDUAL], ids=lambda case: f"{case.op.name}: {case}")
def test_inputs_reach_the_plugin_and_its_output_comes_back(
    case: OpCase, dtype: str, api: FakePluginApi, cuda: FakeCuda
) -> None:
    result = check_op(OnePluginNetworks(), case, dtype)
    assert result.passed, result.finding
    assert api.flags == [2]  # strongly typed
    assert not cuda.live


def test_labels_come_as_the_type_that_tensorrt_gives_them(api: FakePluginApi) -> None:
    case = next(case for case in FIRST_CASES if case.op.name == "UpsampleArgmax")
    inputs = case.make_inputs("float32")
    (labels,) = OnePluginNetworks().run(case.op, inputs.tensors, inputs.attributes)
    assert labels.dtype == np.float16


@pytest.mark.parametrize("missing", ["creator", "plugin", "layer", "plan", "engine", "context", "run"])
def test_every_refusal_is_told(missing: str, api: FakePluginApi, cuda: FakeCuda) -> None:
    api.missing = missing
    case = FIRST_CASES[0]
    inputs = case.make_inputs("float32")
    with pytest.raises(SegppError) as caught:
        OnePluginNetworks().run(case.op, inputs.tensors, inputs.attributes)
    assert "TokenMatch" in caught.value.what
    assert caught.value.expected
    assert caught.value.fix
    assert not cuda.live


def test_a_plugin_has_the_attributes_of_the_declaration(api: FakePluginApi) -> None:
    plugin = create_plugin(wrap(api), DECLARATIONS["TokenMerge"], {"num_rows": 7})
    assert (plugin.op, plugin.fields) == ("TokenMerge", {"num_rows": 7})
