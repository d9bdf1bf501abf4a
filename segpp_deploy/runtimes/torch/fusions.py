"""Several nodes of a graph that PyTorch computes in one call: attention, and products with a bias."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from segpp_deploy.runtimes.torch.operators import ATTENTION, LINEAR


@dataclass(frozen=True)
class Node:
    """A node of an ONNX graph; an optional input that is missing is called ""."""

    op_type: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


def fuse(nodes: Sequence[Node], constants: Mapping[str, torch.Tensor], keep: Collection[str]) -> list[Node]:
    """Return the graph with fewer nodes; what it computes stays the same, up to rounding.

    Args:
        nodes: in an order in which they can be computed.
        constants: by name.
        keep: tensors that have to be computed: the graph's outputs.
    """
    graph = _Graph(nodes, keep)
    for node in nodes:
        if node.op_type == "Softmax":
            _fuse_attention(graph, node)
        elif node.op_type == "MatMul" and node.inputs[1] in constants:
            _fuse_linear(graph, node, constants)
    return graph.nodes()


class _Graph:
    """The nodes by what they make; a chain of nodes is replaced at the place of its last one."""

    def __init__(self, nodes: Sequence[Node], keep: Collection[str]) -> None:
        self._nodes = list(nodes)
        self._makers = {name: node for node in nodes for name in node.outputs}
        self._uses = Counter(name for node in nodes for name in node.inputs)
        self._uses.update(keep)
        self._readers = {name: node for node in nodes for name in node.inputs}
        self._replaced: dict[str, Node | None] = {}

    def maker(self, name: str, *op_types: str) -> Node | None:
        """Return the node of such a type that makes a tensor which nothing else reads."""
        node = self._makers.get(name)
        return node if node and node.op_type in op_types and self._uses[name] == 1 else None

    def reader(self, name: str, *op_types: str) -> Node | None:
        """Return the node of such a type, if nothing else reads a tensor."""
        node = self._readers.get(name)
        return node if node and node.op_type in op_types and self._uses[name] == 1 else None

    def replace(self, chain: Sequence[Node], fused: Node) -> None:
        """Put a node in the place of some, the last of which makes what it makes."""
        self._replaced.update({node.outputs[0]: None for node in chain})
        self._replaced[fused.outputs[0]] = fused

    def nodes(self) -> list[Node]:
        """Return what is left."""
        found = (self._replaced.get(node.outputs[0], node) for node in self._nodes)
        return [node for node in found if node is not None]


def _fuse_linear(graph: _Graph, product: Node, constants: Mapping[str, torch.Tensor]) -> None:
    """x @ W + b, with constant W [C, C'] and b [C']."""
    added = graph.reader(product.outputs[0], "Add")
    if added is None or constants[product.inputs[1]].dim() != 2:
        return
    bias = next(name for name in added.inputs if name != product.outputs[0])
    if bias in constants and constants[bias].dim() == 1:
        inputs = (*product.inputs, bias)
        graph.replace((product, added), Node(LINEAR, "", added.name, inputs, added.outputs))


def _fuse_attention(graph: _Graph, softmax: Node) -> None:
    """softmax(q k + s) v, with or without s, and with casts around the softmax."""
    chain = [softmax]
    if softmax.attributes.get("axis", -1) not in (-1, 3):
        return
    scores = softmax.inputs[0]
    if (sum_ := graph.maker(scores, "Add")) is not None:
        chain.append(sum_)
        sides = [(_product(graph, one), other) for one, other in (sum_.inputs, sum_.inputs[::-1])]
        found, added = next(((nodes, other) for nodes, other in sides if nodes), ([], ""))
    else:
        found, added = _product(graph, scores), ""
    mixed = softmax.outputs[0]
    if (cast := graph.reader(mixed, "Cast")) is not None:
        chain.append(cast)
        mixed = cast.outputs[0]
    product = graph.reader(mixed, "MatMul")
    if not found or product is None or product.inputs[0] != mixed:
        return
    query, key = found[-1].inputs
    inputs = (query, key, product.inputs[1], *([added] if added else []))
    fused = Node(ATTENTION, "", softmax.name, inputs, product.outputs)
    graph.replace((*chain, *found, product), fused)


def _product(graph: _Graph, name: str) -> list[Node]:
    """Return the nodes that make a tensor, if that is a product of queries and keys, or the cast of one."""
    cast = graph.maker(name, "Cast")
    product = graph.maker(name if cast is None else cast.inputs[0], "MatMul")
    return [] if product is None else [product] if cast is None else [cast, product]
