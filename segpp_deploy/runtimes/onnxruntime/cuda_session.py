"""Sessions of the target `cuda`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from segpp_deploy.errors import SegppError
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.runtimes.onnxruntime.bound_run import BoundRun
from segpp_deploy.runtimes.onnxruntime.loader import LoadOptions
from segpp_deploy.runtimes.onnxruntime.session import OnnxRuntimeSession
from segpp_deploy.runtimes.target import EngineSource

_REFUSES_GRAPH = "CUDA Graph"
"""In what ONNX Runtime says where nodes are left for the CPU."""


class CudaSession(OnnxRuntimeSession):
    """An engine on the GPU, as one CUDA graph where the batch is fixed and ONNX Runtime can capture it.

    A profile is taken node by node, without a graph.
    """

    def __init__(self, source: EngineSource, metadata: ExportMetadata, options: LoadOptions, profile: bool) -> None:
        captured = replace(options, cuda_graph=metadata.batch is not None and not profile)
        try:
            super().__init__(source, metadata, captured, profile)
        except SegppError as error:
            if not captured.cuda_graph or _REFUSES_GRAPH not in error.what:
                raise
            super().__init__(source, metadata, options, profile)
        self._bound = BoundRun(self._session, metadata)

    def close(self) -> None:
        """Give the memory back."""
        if self._session is not None:
            self._bound.close()
        super().close()

    def _compute(self, images: NDArray[Any]) -> list[NDArray[Any]]:
        return self._bound.run(images)
