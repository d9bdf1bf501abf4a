"""Exported plugin graphs against the plugins: what TensorRT's ONNX parser does, up to and with the plugin's creation.

TensorRT-RTX takes no plugins in a network, so what comes after that runs on machines with TensorRT only.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto

from segpp_deploy.config import Lowering, Preset
from segpp_deploy.graph.rewrites.tensorrt import rewrite_for_tensorrt
from segpp_deploy.model.dialects import Dialect
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.ops.declaration import DOMAIN
from segpp_deploy.ops.registry import DECLARATIONS
from tests.plugins.conformance.driver import KLINEAR, TYPES, Driver, create_command, field_tokens
from tests.plugins.conformance.examples import TENSORRT_DTYPES
from tests.support.exporting import PICTURE_TO_LABELS, RAGGED, export
from tests.support.random_models import random_model

LOOKUP = {"plugin_version", "plugin_namespace"}
DTYPES: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.INT32: "int32", TensorProto.UINT8: "uint8"}
MERGING = {"TokenMatch": 8, "TokenMerge": 8, "TokenUnmerge": 4, "UpsampleArgmax": 1}  # B0 has two layers a stage
WEIGHTED = {**MERGING, "TokenMatch": 6, "TokenMerge": 4, "TokenMergeWithSize": 4}
EXPECTED_NODES = {
    Preset.ORIGINAL: {"UpsampleArgmax": 1},
    Preset.HQ: MERGING,
    Preset.FAST: MERGING,
    Preset.HQ_REUSE: {**MERGING, "TokenMatch": 4},
    Preset.FAST_REUSE: {**MERGING, "TokenMatch": 4},
    Preset.HQ_PLUS: WEIGHTED,
    Preset.FAST_PLUS: WEIGHTED,
    Preset.POOL_2X2: {"UpsampleArgmax": 1},
    Preset.N1D: {"UpsampleArgmax": 1},
    Preset.DOWNSAMPLE: {"UpsampleArgmax": 1},
}


@pytest.fixture(scope="module")
def model() -> SegFormer:
    return random_model(Dialect.MMSEG)


def test_every_preset_is_expected() -> None:
    assert set(EXPECTED_NODES) == set(Preset)


@pytest.mark.parametrize("preset", list(Preset))
def test_nodes_become_plugins(preset: Preset, model: SegFormer, driver: Driver, tmp_path: Path) -> None:
    """As exported, and as an engine is built from."""
    path = export(model, preset, tmp_path / "m.onnx", RAGGED, lowering=Lowering.PLUGIN, **PICTURE_TO_LABELS).path
    exported = onnx.load(path)
    assert count_nodes(exported) == EXPECTED_NODES[preset]
    built = rewrite_for_tensorrt(exported)
    after, matches = count_nodes(built), EXPECTED_NODES[preset].get("TokenMatch", 0)
    assert (after["TokenMatch"], after["TokenMatchMerge"]) == (0, matches)  # none has many tokens here
    assert after.total() == sum(EXPECTED_NODES[preset].values()) - matches
    driver.results(*plugin_commands("exported", exported), *plugin_commands("built", built))


def count_nodes(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node if node.domain == DOMAIN)


def plugin_commands(prefix: str, model: onnx.ModelProto) -> list[str]:
    graph = model.graph
    tensors = {value.name: tensor_token(value) for value in [*graph.value_info, *graph.input, *graph.output]}
    nodes = [node for node in graph.node if node.domain == DOMAIN]
    return [command for index, node in enumerate(nodes) for command in commands_of(f"{prefix}{index}", node, tensors)]


def commands_of(plugin: str, node: onnx.NodeProto, tensors: dict[str, str]) -> list[str]:
    """Look the plugin up by the node's attributes, give it the others, and let a builder configure it."""
    attributes = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}
    fields = {name: value for name, value in attributes.items() if name not in LOOKUP}
    assert set(fields) == set(DECLARATIONS[node.op_type].attributes)
    assert set(attributes) - set(fields) == LOOKUP
    assert attributes["plugin_version"] == b"1"  # what the driver asks for
    tokens = " ".join([str(len(node.input)), *(tensors[name] for name in [*node.input, *node.output])])
    namespace = attributes["plugin_namespace"].decode()
    return [
        create_command(plugin, node.op_type, field_tokens(fields), namespace),
        *(f"{command} {plugin} {tokens}" for command in ("configure", "workspace", "reshape")),
    ]


def tensor_token(value: onnx.ValueInfoProto) -> str:
    """Return a tensor of the graph as the driver takes it."""
    tensor = value.type.tensor_type
    dtype = DTYPES.get(tensor.elem_type)
    if dtype is None:
        return "not a plugin's"
    shape = "x".join(str(dim.dim_value) for dim in tensor.shape.dim)
    return f"{TYPES[TENSORRT_DTYPES.get(dtype, dtype)]}.{KLINEAR}:{shape}"
