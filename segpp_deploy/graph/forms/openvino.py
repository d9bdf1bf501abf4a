"""The form of a portable graph that OpenVINO runs fastest on a CPU; the function stays the same."""

from __future__ import annotations

import onnx
import onnx_ir as ir
from onnx_ir.passes import common as passes

from segpp_deploy.graph.forms.labels_in_phases import LabelsInPhases
from segpp_deploy.graph.forms.quantized_layout import QuantizeBeforeLayout


def to_openvino_form(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the rewritten copy of `model`; the model itself where nothing applies."""
    pipeline = ir.passes.Sequential(LabelsInPhases(), QuantizeBeforeLayout(), passes.RemoveUnusedNodesPass())
    result = pipeline(ir.from_proto(model))
    return ir.to_proto(result.model) if result.modified else model
