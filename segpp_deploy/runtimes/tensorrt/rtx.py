"""Target `tensorrt-rtx`: TensorRT-RTX, which builds for listed GPUs without having one."""

from __future__ import annotations

from segpp_deploy.hardware.nvidia_gpu import NvidiaGpu, require_gpu
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.target import EngineSettings
from segpp_deploy.runtimes.tensorrt.capabilities import choose_capabilities
from segpp_deploy.runtimes.tensorrt.target import TensorRtTarget


class TensorRtRtxTarget(TensorRtTarget):
    """As `TensorRtTarget`, but for any GPUs, and without plugins."""

    name = TargetName.TENSORRT_RTX

    def require_device(self) -> None:
        """Make sure that there is a GPU that TensorRT-RTX builds for."""
        choose_capabilities(self._trt, (), require_gpu())

    def _choose_capabilities(self, settings: EngineSettings, gpu: NvidiaGpu | None) -> tuple[str, ...]:
        return choose_capabilities(self._trt, settings.builder.compute_capabilities, gpu)

    def _settable(self, needed: tuple[str, ...]) -> tuple[str, ...]:
        return needed
