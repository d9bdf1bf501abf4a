"""What the operations in a runtime's profile do, so that profiles of differently typed engines can be compared."""

from __future__ import annotations

from collections.abc import Iterable

from segpp_deploy.config import Choice
from segpp_deploy.runtimes.session import OperationTime


class OperationGroup(Choice):
    """What an operation does."""

    PRODUCTS = "convolutions and products"
    CONVERSIONS = "conversions and layout"
    NORMS = "norms and softmax"
    RESIZING = "resizing"
    ELEMENTWISE = "element by element"
    OTHER = "merging and the rest"


# Names as ONNX Runtime 1.2x and OpenVINO 202x use them in their profiles.
_MEMBERS = {
    OperationGroup.PRODUCTS: (
        "Conv FusedConv QLinearConv ConvInteger MatMul FusedMatMul MatMulInteger MatMulIntegerToFloat QLinearMatMul "
        "Gemm QGemm "
        "Convolution GroupConvolution FullyConnected FullyConnectedQuantized FullyConnectedQuantizedLegacy "
        "FullyConnectedCompressed ScaledDotProductAttention"
    ),
    OperationGroup.CONVERSIONS: (
        "QuantizeLinear DequantizeLinear Cast ReorderInput ReorderOutput Transpose Reshape "
        "Convert Reorder FakeQuantize"
    ),
    OperationGroup.NORMS: (
        "LayerNormalization SkipLayerNormalization SimplifiedLayerNormalization ReduceL2 Softmax MVN SoftMax"
    ),
    OperationGroup.RESIZING: "Resize Upsample Interpolate",
    OperationGroup.ELEMENTWISE: (
        "Add Sub Mul Div Max Gelu Erf Tanh Relu BiasGelu FastGelu "
        "Subgraph Eltwise Multiply Subtract Divide Maximum"
    ),
}  # fmt: skip
_GROUP_OF = {name: group for group, names in _MEMBERS.items() for name in names.split()}


def group_times(times: Iterable[OperationTime]) -> dict[OperationGroup, float]:
    """Return milliseconds by group, all groups in their order; an unknown operation counts as `OTHER`.

    Example:
        >>> group_times([OperationTime("Conv", 2.0, 1), OperationTime("Gemm", 1.0, 4)])[OperationGroup.PRODUCTS]
        3.0
    """
    milliseconds = dict.fromkeys(OperationGroup, 0.0)
    for time in times:
        milliseconds[_GROUP_OF.get(time.operation, OperationGroup.OTHER)] += time.milliseconds
    return milliseconds
