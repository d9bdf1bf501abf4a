"""Sessions on ONNX Runtime: target `cpu`, and what `cuda` has in common with it."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.runtimes.onnxruntime.loader import LoadOptions, load_onnxruntime, run_onnxruntime
from segpp_deploy.runtimes.onnxruntime.profile import OPTIMIZED_NAME, find_parts, sum_events
from segpp_deploy.runtimes.session import Profile, require_images
from segpp_deploy.runtimes.target import EngineSource


class OnnxRuntimeSession:
    """An engine loaded by ONNX Runtime.

    Args:
        source: the engine.
        metadata: of the graph it was compiled from.
        options: how to load it.
        profile: let ONNX Runtime write a profile, to a folder that goes with the session.
    """

    def __init__(self, source: EngineSource, metadata: ExportMetadata, options: LoadOptions, profile: bool) -> None:
        self.metadata = metadata
        self._profile_folder = Path(tempfile.mkdtemp(prefix="segpp-profile-")) if profile else None
        self._source = source
        self._session: Any = load_onnxruntime(source, replace(options, profile_folder=self._profile_folder))

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """Compute; see `Session.run`."""
        return self.run_all(images)[0]

    def run_all(self, images: NDArray[Any]) -> list[NDArray[Any]]:
        """Compute; see `Session.run_all`."""
        return self._compute(require_images(images, self.metadata))

    def close(self) -> None:
        """Give the memory back."""
        self._session = None
        if self._profile_folder is not None:
            shutil.rmtree(self._profile_folder, ignore_errors=True)

    def profile(self, skip_runs: int = 0) -> Profile:
        """Close the session and return the mean times; see `ProfiledSession`."""
        assert self._profile_folder is not None
        try:
            events = json.loads(Path(self._session.end_profiling()).read_text(encoding="utf-8"))
            parts = find_parts(self._source, self._profile_folder / OPTIMIZED_NAME)
        finally:
            self.close()
        return sum_events(events, skip_runs, parts)

    def _compute(self, images: NDArray[Any]) -> list[NDArray[Any]]:
        return run_onnxruntime(self._session, images)
