"""The form of a portable graph that ONNX Runtime runs fastest; the function stays the same."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
from onnx_ir.passes import common as passes

from segpp_deploy.graph.rewrites.label_tail import find_label_tail
from segpp_deploy.graph.rewrites.onnxruntime_int8 import IntegerProducts, UnsignedActivations
from segpp_deploy.graph.rewrites.quantized_layout import DequantizeBehindLayout, QuantizeBeforeLayout
from segpp_deploy.graph.rewrites.row_normalization import NormalizeRows
from segpp_deploy.graph.rewrites.size_channel import SizesAsChannel


class LabelsChannelsLast(ir.passes.InPlacePass):
    """Resize and compare logits with the classes last: [B, h, w, K] instead of [B, K, h, w].

    ONNX Runtime then reads the classes of a pixel side by side, in the resize as well as in the comparison: about half
    the time of the channels-first form. Other runtimes are slower this way, so it is done for engines of this one only.
    """

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Rewrite the tail of a segmentation graph that returns labels, if there is one."""
        tail = find_label_tail(model.graph)
        if tail is not None:
            write = tail.writer("channels_last")
            full = write.op(
                "Resize",
                write.op("Transpose", tail.logits, perm=[0, 2, 3, 1]),
                None,
                write.constant([1.0, *tail.scales, 1.0], np.float32),
                **{name: attribute.value for name, attribute in tail.resize.attributes.items()},
            )
            tail.replace(model.graph, write, write.op("ArgMax", full, axis=3, keepdims=0))
        return ir.passes.PassResult(model, modified=tail is not None)


def rewrite_for_onnxruntime(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the rewritten copy of `model`; the model itself where nothing applies."""
    pipeline = ir.passes.Sequential(
        LabelsChannelsLast(),
        SizesAsChannel(),
        NormalizeRows(),
        QuantizeBeforeLayout(),
        UnsignedActivations(),
        DequantizeBehindLayout(),
        IntegerProducts(),
        passes.RemoveUnusedNodesPass(),
    )
    result = pipeline(ir.from_proto(model))
    return ir.to_proto(result.model) if result.modified else model
