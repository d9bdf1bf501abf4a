"""The facts of the target `torch`."""

from __future__ import annotations

from segpp_deploy.config import Lowering, Precision
from segpp_deploy.hardware.devices import DeviceKind
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.target import Payload, TargetInfo

TORCH = TargetInfo(
    TargetName.TORCH,
    description="NVIDIA GPUs without TensorRT; else any CPU",
    runtime="PyTorch",
    module="torch",
    extra="",
    lowerings=(Lowering.PLUGIN, Lowering.PORTABLE),
    graph_precisions=(Precision.FP32, Precision.FP16),
    runtime_precisions=(Precision.BF16,),
    auto_ranks={DeviceKind.NVIDIA_GPU: 4},  # not measured beside the others yet; on CPUs AUTO never takes it
    implementation="torch.target:TorchTarget",
    payload=Payload.ONNX,
)
