"""Exported graphs whose matches are given: the maps of one picture are constants, and nothing is left of matching."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx
import onnx_ir as ir
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx_ir.passes import common as passes

from segpp_deploy.ops.node_names import path_in
from segpp_deploy.runtimes.onnxruntime.loader import LoadOptions, load_onnxruntime

_MATCH = "token_match"


def give_matches(model: onnx.ModelProto, inputs: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    """Return a copy of a portable graph that merges whatever it is given as it would merge these inputs."""
    made = {name for node in model.graph.node if _matches(node) for name in node.output}
    read = {name for node in model.graph.node if not _matches(node) for name in node.input if name in made}
    given = onnx.ModelProto()
    given.CopyFrom(model)
    del given.graph.node[:]
    given.graph.node.extend(node for node in model.graph.node if not _matches(node))
    given.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in _look_at(model, sorted(read), inputs).items()
    )
    return ir.to_proto(passes.RemoveUnusedNodesPass()(ir.from_proto(given)).model)


def _matches(node: onnx.NodeProto) -> bool:
    return node.name.removeprefix(path_in(node.name) + "/").startswith(_MATCH)


def _look_at(model: onnx.ModelProto, names: list[str], inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return what tensors of indices hold for these inputs."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    for name in names:
        output = f"{name}.given"  # a graph may not put out its own input
        shown.graph.node.append(helper.make_node("Identity", [name], [output]))
        shown.graph.output.append(helper.make_tensor_value_info(output, onnx.TensorProto.INT64, None))
    session = load_onnxruntime(shown.SerializeToString(), LoadOptions())
    return dict(zip(names, session.run(None, dict(inputs)), strict=True))
