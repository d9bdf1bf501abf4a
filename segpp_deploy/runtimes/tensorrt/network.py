"""From an ONNX file to a network whose ends and number formats are what the file's metadata says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.graph.contract import TensorSpec, input_spec, output_specs
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.runtimes.tensorrt.api import TensorRt

_EXPORT_AGAIN = "Export the graph again with this version of segpp-deploy; docs/debugging.md says how to look further."
_ANY_LENGTH = -1


@dataclass(frozen=True)
class ParsedNetwork:
    """An `INetworkDefinition`, and the parser, which owns its weights until the engine is built."""

    network: Any
    parser: Any


def parse_network(trt: TensorRt, builder: Any, graph: GraphFile) -> ParsedNetwork:
    """Return the network of a graph: strongly typed, so the number formats are those of the graph.

    Raises:
        SegppError: the library's parser refuses the graph; the message names the node.
    """
    network = builder.create_network(strongly_typed(trt.api))
    parser = trt.api.OnnxParser(network, trt.logger)
    trt.log.clear()
    if not parser.parse(graph.model.SerializeToString()):  # the file may hold it in another precision
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        reasons = "; ".join(map(_describe_node, errors)) or trt.log.reasons()
        raise SegppError(
            f"{trt.info.runtime} {trt.version} cannot parse {graph.path}: {reasons}.",
            "a graph of operators it knows.",
            _EXPORT_AGAIN,
        )
    check_ends(trt, network, graph)
    return ParsedNetwork(network, parser)


def check_ends(trt: TensorRt, network: Any, graph: GraphFile) -> None:
    """Make sure that a network's input and outputs are the contract's.

    Raises:
        SegppError: another name, type or shape.
    """
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    found = [tensor_spec(trt.api, tensor.name, tensor.dtype, tensor.shape) for tensor in (*inputs, *outputs)]
    expected = [input_spec(graph.metadata), *output_specs(graph.metadata)]
    if found != expected:
        raise SegppError(
            f"{trt.info.runtime} read {graph.path} with other ends: {'; '.join(map(str, found))}.",
            f"{'; '.join(map(str, expected))}.",
            _EXPORT_AGAIN,
        )


def tensor_spec(api: Any, name: str, dtype: Any, shape: Any) -> TensorSpec:
    """Return the library's description of a tensor as ours; axes of any length (-1) are None."""
    lengths = tuple(None if length == _ANY_LENGTH else int(length) for length in shape)
    return TensorSpec(name, number_format(api, dtype), lengths)


def number_format(api: Any, dtype: Any) -> str:
    """Return the NumPy name of one of the library's data types."""
    types = {"FLOAT": "float32", "HALF": "float16", "BF16": "bfloat16", "UINT8": "uint8", "BOOL": "bool"}
    name = str(dtype).rpartition(".")[2]
    return types.get(name, name.lower())


def _describe_node(error: Any) -> str:
    node = f"node {error.node()} {error.node_operator()}" + (f" '{error.node_name()}'" if error.node_name() else "")
    return one_line(Exception(f"{node}: {error.desc()}"))


def strongly_typed(api: Any) -> int:
    """Return the creation flags of a network whose number formats are those of its tensors."""
    flag = getattr(api.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)  # a version without the flag knows nothing else
