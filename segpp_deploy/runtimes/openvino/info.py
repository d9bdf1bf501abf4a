"""The facts of the target `openvino`."""

from __future__ import annotations

from segpp_deploy.config import Precision
from segpp_deploy.hardware.devices import DeviceKind
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.target import Int8Use, Payload, TargetInfo

OPENVINO = TargetInfo(
    TargetName.OPENVINO,
    description="x86 and Arm CPUs; bfloat16 where the CPU has it",
    runtime="OpenVINO",
    module="openvino",
    extra="openvino",
    graph_precisions=(Precision.FP32, Precision.INT8),
    runtime_precisions=(Precision.BF16,),
    int8=Int8Use(rest=Precision.BF16, every_layer=True),  # float32 where the CPU lacks bf16
    auto_ranks={DeviceKind.X86_CPU: 1, DeviceKind.OTHER_CPU: 2},  # measured on x86 only; Arm is what we know nothing of
    implementation="openvino.target:OpenVinoTarget",
    payload=Payload.ONNX,
)
