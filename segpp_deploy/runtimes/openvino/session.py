"""Sessions on OpenVINO: target `openvino`."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.runtimes.openvino.loader import load_openvino, run_openvino
from segpp_deploy.runtimes.session import OperationTime, SessionOptions, require_images
from segpp_deploy.runtimes.target import EngineSettings


class OpenVinoSession:
    """An engine file compiled by OpenVINO."""

    def __init__(self, engine: Path, manifest: Manifest, options: SessionOptions) -> None:
        self.metadata: ExportMetadata = manifest.metadata
        settings = EngineSettings(manifest.precision, options.threads or manifest.threads)
        self._request: Any = load_openvino(engine, settings, options.profile).create_infer_request()
        self._profile = options.profile
        self._runs: list[list[tuple[str, float]]] = []

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """Compute; see `Session.run`."""
        output = run_openvino(self._request, require_images(images, self.metadata))
        if self._profile:
            self._runs.append(
                [(node.node_type, node.real_time.total_seconds() * 1000) for node in self._request.profiling_info]
            )
        return output

    def close(self) -> None:
        """Give the memory back."""
        self._request = None

    def operation_times(self, skip_runs: int = 0) -> tuple[OperationTime, ...]:
        """Close the session and return the mean times; see `ProfiledSession`."""
        self.close()
        runs = self._runs[skip_runs:]
        milliseconds: dict[str, float] = defaultdict(float)
        counts: dict[str, int] = defaultdict(int)
        for operation, elapsed_ms in (node for run in runs for node in run):
            if elapsed_ms:  # nodes that were fused into others are listed without time
                milliseconds[operation] += elapsed_ms
                counts[operation] += 1
        times = [
            OperationTime(operation, total / len(runs), round(counts[operation] / len(runs)))
            for operation, total in milliseconds.items()
        ]
        return tuple(sorted(times, key=lambda time: time.milliseconds, reverse=True))
