"""The facts of the targets `cpu` and `cuda`."""

from __future__ import annotations

from segpp_deploy.config import Precision
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.target import Int8Use, TargetInfo

CPU = TargetInfo(
    TargetName.CPU,
    description="any CPU; the default without a GPU",
    runtime="ONNX Runtime",
    module="onnxruntime",
    extra="cpu",
    graph_precisions=(Precision.FP32, Precision.INT8),
    int8=Int8Use(rest=Precision.FP32, every_layer=True, outputs=True),
    implementation="onnxruntime.cpu:CpuTarget",
)
CUDA = TargetInfo(
    TargetName.CUDA,
    description="NVIDIA GPUs without TensorRT",
    runtime="ONNX Runtime with CUDA",
    module="onnxruntime",
    extra="gpu",
    auto_rank=3,
    implementation="onnxruntime.cuda:CudaTarget",
)
