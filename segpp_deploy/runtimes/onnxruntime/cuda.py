"""Target `cuda`: ONNX Runtime on an NVIDIA GPU, without TensorRT."""

from __future__ import annotations

from segpp_deploy import commands
from segpp_deploy.errors import SegppError
from segpp_deploy.hardware.nvidia_gpu import has_nvidia_gpu
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.onnxruntime.cpu import CpuTarget
from segpp_deploy.runtimes.onnxruntime.info import CUDA
from segpp_deploy.runtimes.onnxruntime.loader import Provider
from segpp_deploy.runtimes.target import import_runtime


class CudaTarget(CpuTarget):
    """As `CpuTarget`, but computed by the CUDA provider."""

    info = CUDA
    provider = Provider.CUDA

    def __init__(self) -> None:
        if not has_nvidia_gpu():
            elsewhere = commands.option("target", TargetName.CPU)
            raise SegppError("No NVIDIA GPU was found.", "an NVIDIA GPU with its driver.", elsewhere)
        if str(self.provider) not in import_runtime(self.info).get_available_providers():
            raise SegppError(
                "The installed ONNX Runtime cannot use NVIDIA GPUs.",
                "the package onnxruntime-gpu in the place of onnxruntime.",
                f"pip uninstall -y onnxruntime && {self.info.install_command}",
            )
        super().__init__()
