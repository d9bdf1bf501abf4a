"""A small writer of ONNX nodes and constants for the portable bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from segpp_deploy.ops.node_names import name_beside


@dataclass(frozen=True)
class PortableMatch:
    """What the portable TokenMatch knows beyond its output, for the merges that follow it.

    The rows are numbered destinations first, then kept sources: row order is free, and this one needs no prefix sum.

    Args:
        num_destinations: D; rows 0 .. D-1.
        kept_tokens: [B, U] int64, the token in each of the rows D .. M-1; None where every source merges (U = 0).
    """

    num_destinations: int
    kept_tokens: ir.Value | None


Matches = dict[ir.Value, PortableMatch]
"""Portable matches by their row_of_token value."""


class NodeWriter:
    """Appends standard ONNX nodes that replace another one.

    Args:
        prefix: start of every tensor's name written, so that names stay unique and tell where they come from.
        replaced: the node, or one of those, in whose place nodes are written: they belong to the same module.
    """

    def __init__(self, prefix: str, replaced: ir.Node) -> None:
        self._tape = ir.tape.Tape()
        self._prefix = prefix
        self._replaced = replaced

    @property
    def nodes(self) -> Sequence[ir.Node]:
        """The nodes written so far."""
        return self._tape.nodes

    @property
    def initializers(self) -> Sequence[ir.Value]:
        """The constants written so far."""
        return self._tape.initializers

    def op(self, op_type: str, *inputs: ir.Value | None, **attributes: Any) -> ir.Value:
        """Append one node of the default domain and return its output."""
        name = f"{self._prefix}.{op_type}_{len(self._tape.nodes)}"
        node_name = name_beside(self._replaced.name, name)
        return self._tape.op(op_type, inputs, attributes, name=node_name, output=ir.Value(name=name))

    def multi_op(self, op_type: str, *inputs: ir.Value | None, num_outputs: int, **attributes: Any) -> list[ir.Value]:
        """Append one node of the default domain and return its outputs."""
        name = f"{self._prefix}.{op_type}_{len(self._tape.nodes)}"
        outputs = [ir.Value(name=f"{name}.{index}") for index in range(num_outputs)]
        node_name = name_beside(self._replaced.name, name)
        return list(self._tape.op_multi_out(op_type, inputs, attributes, name=node_name, outputs=outputs))

    def constant(self, array: npt.ArrayLike, dtype: type[np.generic]) -> ir.Value:
        """Add an initializer."""
        name = f"{self._prefix}.constant_{len(self._tape.initializers)}"
        return self._tape.initializer(ir.tensor(np.asarray(array, dtype=dtype), name=name), name)

    def cast(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        """Cast, unless the value has that type already."""
        return value if value.dtype == dtype else self.op("Cast", value, to=dtype.value)

    def replace(self, graph: ir.Graph, node: ir.Node, replacements: Sequence[ir.Value]) -> None:
        """Put what was written in the place of `node`; each replacement takes over the name of the old value."""
        for initializer in self.initializers:
            graph.register_initializer(initializer)
        graph.insert_after(node, self.nodes)
        for old, replacement in zip(node.outputs, replacements, strict=True):
            replacement.name, old.name = old.name, None
            replacement.type = replacement.type or old.type
            replacement.shape = old.shape
            ir.convenience.replace_all_uses_with(old, replacement, replace_graph_outputs=True)
        graph.remove(node, safe=True)


def integer_attribute(node: ir.Node, name: str) -> int:
    """Return an integer attribute of a custom node."""
    return node.attributes[name].as_int()


def required_input(node: ir.Node, index: int) -> ir.Value:
    """Return an input that the schema requires."""
    value = node.inputs[index]
    assert value is not None, f"{node.name} lacks input {index}"
    return value
