"""Target `cuda`: ONNX Runtime on an NVIDIA GPU, without TensorRT."""

from __future__ import annotations

from segpp_deploy import commands
from segpp_deploy.config import Precision
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.hardware.nvidia_gpu import has_nvidia_gpu
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.onnxruntime.cpu import CpuTarget
from segpp_deploy.runtimes.onnxruntime.cuda_session import CudaSession
from segpp_deploy.runtimes.onnxruntime.info import CUDA
from segpp_deploy.runtimes.onnxruntime.loader import LoadOptions, Provider
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.runtimes.target import EngineSettings, EngineSource, import_runtime


class CudaTarget(CpuTarget):
    """As `CpuTarget`, but computed by the CUDA provider."""

    info = CUDA

    def __init__(self) -> None:
        if not has_nvidia_gpu():
            elsewhere = commands.option("target", TargetName.CPU)
            raise SegppError("No NVIDIA GPU was found.", "an NVIDIA GPU with its driver.", elsewhere)
        if str(Provider.CUDA) not in import_runtime(self.info).get_available_providers():
            raise SegppError(
                "The installed ONNX Runtime cannot use NVIDIA GPUs.",
                "the package onnxruntime-gpu in the place of onnxruntime.",
                f"pip uninstall -y onnxruntime && {self.info.install_command}",
            )
        super().__init__()

    def load(
        self, source: EngineSource, metadata: ExportMetadata, settings: EngineSettings, options: SessionOptions
    ) -> CudaSession:
        """Load an engine; see `Target.load`. TF32 stays on for the float32 part of fp16 engines only."""
        tf32 = settings.precision is not Precision.FP32  # similarities of float32 decide which tokens merge
        load_options = LoadOptions(Provider.CUDA, tf32, threads=options.threads or settings.threads)
        return CudaSession(source, metadata, load_options, options.profile)
