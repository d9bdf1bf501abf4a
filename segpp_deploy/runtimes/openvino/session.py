"""Sessions on OpenVINO: target `openvino`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.runtimes.openvino.loader import load_openvino, run_openvino
from segpp_deploy.runtimes.profiling import average_runs
from segpp_deploy.runtimes.session import OperationTime, SessionOptions, require_images
from segpp_deploy.runtimes.target import EngineSettings, EngineSource


class OpenVinoSession:
    """An engine compiled by OpenVINO."""

    def __init__(
        self, source: EngineSource, metadata: ExportMetadata, settings: EngineSettings, options: SessionOptions
    ) -> None:
        self.metadata = metadata
        settings = replace(settings, threads=options.threads or settings.threads)
        self._request: Any = load_openvino(source, settings, options.profile).create_infer_request()
        self._profile = options.profile
        self._runs: list[list[tuple[str, float]]] = []

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """Compute; see `Session.run`."""
        return self.run_all(images)[0]

    def run_all(self, images: NDArray[Any]) -> list[NDArray[Any]]:
        """Compute; see `Session.run_all`."""
        outputs = run_openvino(self._request, require_images(images, self.metadata))
        if self._profile:
            self._runs.append(
                [(node.node_type, node.real_time.total_seconds() * 1000) for node in self._request.profiling_info]
            )
        return outputs

    def close(self) -> None:
        """Give the memory back."""
        self._request = None

    def operation_times(self, skip_runs: int = 0) -> tuple[OperationTime, ...]:
        """Close the session and return the mean times; see `ProfiledSession`."""
        self.close()
        # Nodes that were fused into others are listed without time.
        return average_runs([[node for node in run if node[1]] for run in self._runs[skip_runs:]])
