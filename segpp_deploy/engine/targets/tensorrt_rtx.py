"""Target `tensorrt-rtx`: TensorRT-RTX, which builds for listed GPUs without having one."""

from __future__ import annotations

from segpp_deploy.engine.nvidia_gpu import NvidiaGpu, require_gpu
from segpp_deploy.engine.target import EngineSettings, TargetName
from segpp_deploy.engine.targets.tensorrt import TensorRtTarget
from segpp_deploy.engine.tensorrt.capabilities import choose_capabilities


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
