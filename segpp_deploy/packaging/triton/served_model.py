"""What Triton is to serve: the engines of one model, and what its backend makes of them."""

from __future__ import annotations

from dataclasses import dataclass

from segpp_deploy.config import Choice
from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.packaging.package import PackagedEngine
from segpp_deploy.runtimes.names import TargetName


class BackendName(Choice):
    """The backends, as configurations spell them."""

    TENSORRT = "tensorrt"
    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"


@dataclass(frozen=True)
class Backend:
    """A backend of Triton.

    Args:
        name: of the backend.
        suffix: of its model files.
        on_gpu: whether it computes on a GPU.
        joins_requests: whether Triton may join requests to one batch. OpenVINO's backend would fix the batch instead.
    """

    name: BackendName
    suffix: str
    on_gpu: bool
    joins_requests: bool = True


BACKENDS = {
    TargetName.TENSORRT: Backend(BackendName.TENSORRT, ".plan", on_gpu=True),
    TargetName.CUDA: Backend(BackendName.ONNXRUNTIME, ".onnx", on_gpu=True),
    TargetName.CPU: Backend(BackendName.ONNXRUNTIME, ".onnx", on_gpu=False),
    TargetName.OPENVINO: Backend(BackendName.OPENVINO, ".onnx", on_gpu=False, joins_requests=False),
}
"""By target; TensorRT-RTX and PyTorch have none."""


@dataclass(frozen=True)
class ServedModel:
    """A model.

    Args:
        name: that clients say.
        engines: one, or one for each kind of GPU.
    """

    name: str
    engines: tuple[PackagedEngine, ...]

    @property
    def manifest(self) -> Manifest:
        """The record of the first engine; what the model takes and gives is the same in all."""
        return self.engines[0].manifest

    @property
    def backend(self) -> Backend:
        """What runs it."""
        return BACKENDS[self.manifest.target]

    @property
    def max_batch(self) -> int:
        """The largest batch that Triton may join requests to; 0 where it hands each request on as it is."""
        if self.manifest.metadata.batch is not None or not self.backend.joins_requests:
            return 0
        return min(engine.manifest.builder.batch_range[2] for engine in self.engines)

    @property
    def files(self) -> dict[str, PackagedEngine]:
        """The engines by the names of their files in the repository."""
        if len(self.engines) == 1:
            return {f"model{self.backend.suffix}": self.engines[0]}
        return {f"model-{capability_of(engine)}{self.backend.suffix}": engine for engine in self.engines}


def capability_of(engine: PackagedEngine) -> str:
    """Return the compute capability of the GPU that a TensorRT engine is for."""
    (capability,) = engine.manifest.runtime.compute_capabilities
    return capability
