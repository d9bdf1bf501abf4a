"""Give nodes their types: casts on the edges where types differ, constants converted once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from segpp_deploy.ops.node_names import name_beside

FLOAT, HALF = ir.DataType.FLOAT, ir.DataType.FLOAT16
_FLOATS = {FLOAT: np.float32, HALF: np.float16}
_SUFFIX = {FLOAT: "fp32", HALF: "fp16"}

_ALWAYS_FLOAT = {"Resize": (2,)}
"""Inputs that the ONNX schema ties to float32, whatever the type of the op."""


FLOAT_OUTPUTS = {"TokenMergeWithSize": (1,), "TokenMatchMerge": (2,)}
"""Outputs that a custom op's declaration ties to float32, whatever the type of the op."""


def is_always_float(value: ir.Value) -> bool:
    """Whether the node that makes `value` makes it in float32, whatever type it computes in."""
    node = value.producer()
    return node is not None and value.index() in FLOAT_OUTPUTS.get(node.op_type, ())


def change_types(model: ir.Model, types: Mapping[ir.Node, ir.DataType]) -> None:
    """Make each node of `types` compute in its type (float32 or float16), in place.

    A tensor that is read in another type than it is made in is cast once, right behind the node that makes it.
    """
    for node, dtype in types.items():
        if node.op_type != "Cast":  # whose type is an attribute
            for value in node.outputs:
                if value.dtype in _FLOATS and not is_always_float(value):
                    value.dtype = dtype
    _Casts(model.graph).insert(types)


class _Casts:
    def __init__(self, graph: ir.Graph) -> None:
        self._graph = graph
        self._converted: dict[tuple[ir.Value, ir.DataType], ir.Value] = {}

    def insert(self, types: Mapping[ir.Node, ir.DataType]) -> None:
        constants: dict[ir.Value, list[tuple[ir.Node, int, ir.DataType]]] = {}
        for node, dtype in types.items():
            for index, value in enumerate(node.inputs):
                if value is None or value.dtype not in _FLOATS or node.op_type == "Cast":
                    continue
                wanted = FLOAT if index in _ALWAYS_FLOAT.get(node.op_type, ()) else dtype
                if value.is_initializer():
                    constants.setdefault(value, []).append((node, index, wanted))
                elif value.dtype != wanted:
                    node.replace_input_with(index, self._cast(value, wanted))
        for constant, uses in constants.items():
            self._convert(constant, uses)

    def _cast(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        if (value, dtype) not in self._converted:
            name = f"{value.name}.{_SUFFIX[dtype]}"
            output = ir.Value(name=name, type=ir.TensorType(dtype), shape=value.shape)
            producer = value.producer()
            node_name = name_beside(None if producer is None else producer.name, name)
            cast = ir.node("Cast", [value], {"to": dtype.value}, outputs=[output], name=node_name)
            if producer is None:
                self._graph.insert_before(self._graph[0], cast)
            else:
                self._graph.insert_after(producer, cast)
            self._converted[value, dtype] = output
        return self._converted[value, dtype]

    def _convert(self, constant: ir.Value, uses: list[tuple[ir.Node, int, ir.DataType]]) -> None:
        """Convert a constant in place if all uses agree, else give those of the other type a copy."""
        assert constant.const_value is not None
        others = [(node, index, wanted) for node, index, wanted in uses if wanted != constant.dtype]
        if not others:
            return
        dtype = others[0][2]
        array = constant.const_value.numpy().astype(_FLOATS[dtype])
        if len(others) == len(tuple(constant.uses())):
            constant.const_value = ir.tensor(array, name=constant.name)
            constant.type = ir.TensorType(dtype)
            return
        name = f"{constant.name}.{_SUFFIX[dtype]}"
        copy = ir.Value(
            name=name, type=ir.TensorType(dtype), shape=constant.shape, const_value=ir.tensor(array, name=name)
        )
        self._graph.register_initializer(copy)
        for node, index, _ in others:
            node.replace_input_with(index, copy)
