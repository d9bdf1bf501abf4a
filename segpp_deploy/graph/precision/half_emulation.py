"""fp16 graphs on runtimes without fp16: the same graph in float32 with every result rounded to fp16.

ONNX Runtime takes fp16 graphs on a CPU, but computes whole chains of their ops in float32 and rounds only at the ends,
so it says little about fp16. It does keep explicit pairs of casts, and that is what is written here.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir import convenience

_FLOAT, _HALF = ir.DataType.FLOAT, ir.DataType.FLOAT16
_EXACT = frozenset({"Concat", "Gather", "GatherND", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"})


def emulate_half(model: ir.Model) -> ir.Model:
    """Rewrite `model` in place to float32, with a cast to fp16 and back behind every op that computed in fp16."""
    for initializer in model.graph.initializers.values():
        if initializer.dtype == _HALF:
            assert initializer.const_value is not None
            initializer.const_value = ir.tensor(initializer.const_value.numpy().astype(np.float32))
            initializer.type = ir.TensorType(_FLOAT)
    for node in list(model.graph):
        halves = [value for value in node.outputs if value.dtype == _HALF]
        for value in halves:
            value.type = ir.TensorType(_FLOAT)
            if node.op_type not in _EXACT:
                _round(model.graph, node, value)
        if node.op_type == "Cast" and halves:
            node.attributes.add(ir.AttrInt64("to", _FLOAT.value))
    return model


def _round(graph: ir.Graph, node: ir.Node, value: ir.Value) -> None:
    narrow = ir.node("Cast", [value], {"to": _HALF.value}, name=f"{value.name}.rounded16")
    narrow.outputs[0].type, narrow.outputs[0].shape = ir.TensorType(_HALF), value.shape
    wide = ir.node("Cast", [narrow.outputs[0]], {"to": _FLOAT.value}, name=f"{value.name}.rounded")
    wide.outputs[0].type, wide.outputs[0].shape = ir.TensorType(_FLOAT), value.shape
    graph.insert_after(node, [narrow, wide])
    convenience.replace_all_uses_with(value, wide.outputs[0])
    narrow.replace_input_with(0, value)
