"""Sessions on OpenVINO: target `openvino`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.runtimes.openvino.loader import load_openvino, run_openvino
from segpp_deploy.runtimes.openvino.profile import find_parts, read_times
from segpp_deploy.runtimes.profiling import NodeTime, summarize
from segpp_deploy.runtimes.session import Profile, SessionOptions, require_images
from segpp_deploy.runtimes.target import EngineSettings, EngineSource


class OpenVinoSession:
    """An engine compiled by OpenVINO."""

    def __init__(
        self, source: EngineSource, metadata: ExportMetadata, settings: EngineSettings, options: SessionOptions
    ) -> None:
        self.metadata = metadata
        settings = replace(settings, threads=options.threads or settings.threads)
        compiled = load_openvino(source, settings, options.profile)
        self._request: Any = compiled.create_infer_request()
        self._parts = find_parts(compiled) if options.profile else None
        self._runs: list[list[NodeTime]] = []

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """Compute; see `Session.run`."""
        return self.run_all(images)[0]

    def run_all(self, images: NDArray[Any]) -> list[NDArray[Any]]:
        """Compute; see `Session.run_all`."""
        outputs = run_openvino(self._request, require_images(images, self.metadata))
        if self._parts is not None:
            self._runs.append(read_times(self._request, self._parts))
        return outputs

    def close(self) -> None:
        """Give the memory back."""
        self._request = None

    def profile(self, skip_runs: int = 0) -> Profile:
        """Close the session and return the mean times; see `ProfiledSession`."""
        self.close()
        runs = self._runs[skip_runs:]
        return summarize((node for run in runs for node in run), len(runs))
