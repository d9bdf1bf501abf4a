"""The form of a portable graph that ONNX Runtime runs fastest; the function stays the same."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes import common as passes

from segpp_deploy.graph.onnxruntime_int8 import IntegerProducts, UnsignedActivations
from segpp_deploy.graph.quantized_layout import DequantizeBehindLayout, QuantizeBeforeLayout
from segpp_deploy.graph.row_normalization import NormalizeRows
from segpp_deploy.ops.portable.writer import NodeWriter

LABELS_DTYPE = ir.DataType.UINT8


class LabelsChannelsLast(ir.passes.InPlacePass):
    """Resize and compare logits with the classes last: [B, h, w, K] instead of [B, K, h, w].

    ONNX Runtime then reads the classes of a pixel side by side, in the resize as well as in the comparison: about half
    the time of the channels-first form. Other runtimes are slower this way, so it is done for engines of this one only.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite the tail of a segmentation graph that returns labels, if there is one."""
        for output in model.graph.outputs:
            tail = _label_tail(output)
            if tail is not None:
                _rewrite(model.graph, *tail)
                return ir.passes.PassResult(model, modified=True)
        return ir.passes.PassResult(model, modified=False)


def to_onnxruntime_form(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the rewritten copy of `model`; the model itself where nothing applies."""
    pipeline = ir.passes.Sequential(
        LabelsChannelsLast(),
        NormalizeRows(),
        QuantizeBeforeLayout(),
        UnsignedActivations(),
        DequantizeBehindLayout(),
        IntegerProducts(),
        passes.RemoveUnusedNodesPass(),
    )
    result = pipeline(ir.from_proto(model))
    return ir.to_proto(result.model) if result.modified else model


def _label_tail(output: ir.Value) -> tuple[ir.Node, ir.Node] | None:
    """Return the (Resize, Cast) nodes at the ends of Resize -> TopK -> Squeeze -> Cast, or None."""
    cast = output.producer()
    nodes = [cast]
    for op_type in ("Cast", "Squeeze", "TopK", "Resize"):
        node = nodes[-1]
        if node is None or node.op_type != op_type or node.inputs[0] is None:
            return None
        nodes.append(node.inputs[0].producer())
    resize = nodes[3]
    assert resize is not None
    assert cast is not None
    return (resize, cast) if output.dtype == LABELS_DTYPE and resize.inputs[2] is not None else None


def _rewrite(graph: ir.Graph, resize: ir.Node, cast: ir.Node) -> None:
    logits, scales = resize.inputs[0], resize.inputs[2]
    assert logits is not None
    assert scales is not None
    assert scales.const_value is not None
    write = NodeWriter(prefix=f"{cast.outputs[0].name}.channels_last")
    _, _, scale_y, scale_x = scales.const_value.numpy()
    full = write.op(
        "Resize",
        write.op("Transpose", logits, perm=[0, 2, 3, 1]),
        None,
        write.constant([1.0, scale_y, scale_x, 1.0], np.float32),
        **{name: attribute.value for name, attribute in resize.attributes.items()},
    )
    cast.replace_input_with(0, write.op("ArgMax", full, axis=3, keepdims=0))
    for initializer in write.initializers:
        graph.register_initializer(initializer)
    graph.insert_before(cast, write.nodes)
