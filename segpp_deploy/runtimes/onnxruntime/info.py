"""The facts of the targets `cpu` and `cuda`."""

from __future__ import annotations

from segpp_deploy.config import Precision
from segpp_deploy.hardware.devices import DeviceKind
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.target import Int8Use, Payload, TargetInfo

CPU = TargetInfo(
    TargetName.CPU,
    description="any CPU",
    runtime="ONNX Runtime",
    module="onnxruntime",
    extra="cpu",
    graph_precisions=(Precision.FP32, Precision.INT8),
    int8=Int8Use(rest=Precision.FP32, every_layer=True, outputs=True),
    auto_ranks={DeviceKind.X86_CPU: 2, DeviceKind.OTHER_CPU: 1},
    implementation="onnxruntime.cpu:CpuTarget",
    payload=Payload.ONNX,
)
CUDA = TargetInfo(
    TargetName.CUDA,
    description="NVIDIA GPUs without TensorRT",
    runtime="ONNX Runtime with CUDA",
    module="onnxruntime",
    extra="gpu",
    graph_precisions=(Precision.FP32, Precision.FP16),
    auto_ranks={DeviceKind.NVIDIA_GPU: 3},
    implementation="onnxruntime.cuda:CudaTarget",
    payload=Payload.ONNX,
)
