"""The facts of the targets `tensorrt` and `tensorrt-rtx`."""

from __future__ import annotations

from segpp_deploy.config import Lowering, Precision
from segpp_deploy.hardware.devices import DeviceKind
from segpp_deploy.runtimes.builder_options import BuilderOption
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.target import Int8Use, Payload, TargetInfo

_PRECISIONS = (Precision.FP32, Precision.FP16, Precision.INT8)
_OPTIONS = (BuilderOption.OPT_BATCH, BuilderOption.MAX_BATCH, BuilderOption.WORKSPACE)

TENSORRT = TargetInfo(
    TargetName.TENSORRT,
    description="NVIDIA GPUs from Jetson to the data centre",
    runtime="TensorRT",
    module="tensorrt",
    extra="gpu",
    lowerings=(Lowering.PLUGIN, Lowering.PORTABLE),
    graph_precisions=_PRECISIONS,
    int8=Int8Use(rest=Precision.FP16),
    builder_options=(*_OPTIONS, BuilderOption.TIMING_CACHE),
    auto_ranks={DeviceKind.NVIDIA_GPU: 1},
    stand_in=TargetName.CPU,
    implementation="tensorrt.target:TensorRtTarget",
    payload=Payload.TENSORRT_PLAN,
)
TENSORRT_RTX = TargetInfo(
    TargetName.TENSORRT_RTX,
    description="NVIDIA RTX desktops; builds without a GPU",
    runtime="TensorRT-RTX",
    module="tensorrt_rtx",
    extra="rtx",
    graph_precisions=_PRECISIONS,
    int8=Int8Use(rest=Precision.FP16),
    builder_options=(*_OPTIONS, BuilderOption.COMPUTE_CAPABILITY),
    auto_ranks={DeviceKind.NVIDIA_GPU: 2},
    stand_in=TargetName.CPU,
    implementation="tensorrt.rtx:TensorRtRtxTarget",
    payload=Payload.TENSORRT_RTX_PLAN,
)
