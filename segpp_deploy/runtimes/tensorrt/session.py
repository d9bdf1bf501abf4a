"""Sessions on TensorRT and TensorRT-RTX: targets `tensorrt` and `tensorrt-rtx`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from segpp_deploy.config import Lowering
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.contract import input_spec, output_specs
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.graph.network_parts import NetworkPart
from segpp_deploy.runtimes.profiling import NodeTime, summarize
from segpp_deploy.runtimes.session import Profile, SessionOptions, require_images
from segpp_deploy.runtimes.target import EngineSource, describe_source
from segpp_deploy.runtimes.tensorrt.api import TensorRt
from segpp_deploy.runtimes.tensorrt.loader import REBUILD, LoadedEngine, load_engine
from segpp_deploy.runtimes.tensorrt.profile import find_parts
from segpp_deploy.runtimes.tensorrt.runner import EngineRunner


class TensorRtSession:
    """An engine on the GPU. Pictures go in and labels come out as they are; all else happens on the GPU."""

    def __init__(self, source: EngineSource, metadata: ExportMetadata, options: SessionOptions, trt: TensorRt) -> None:
        self.metadata = metadata
        loaded = load_engine(trt, source, needs_plugins=metadata.lowering is Lowering.PLUGIN)
        loaded = _require_contract(source, loaded, metadata)
        self._parts = find_parts(trt.api, loaded.engine) if options.profile else {}
        self._runner: EngineRunner | None = EngineRunner(trt, loaded, options.profile)
        self._layer_times = self._runner.layer_times

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """Compute; see `Session.run`. A dynamic batch may be as large as the engine was built for."""
        return self.run_all(images)[0]

    def run_all(self, images: NDArray[Any]) -> list[NDArray[Any]]:
        """Compute; see `Session.run_all`."""
        images = require_images(images, self.metadata)
        if self._runner is None:
            raise SegppError("The session was closed.", "an open session.", "Open the engine again.")
        return self._runner.run(images)

    def close(self) -> None:
        """Give the memory back."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def profile(self, skip_runs: int = 0) -> Profile:
        """Close the session and return the mean times; see `ProfiledSession`. An operation is a layer of the engine."""
        self.close()
        runs = self._layer_times[skip_runs:]
        parts = self._parts
        nodes = (NodeTime(layer, parts.get(layer, NetworkPart.REST), ms) for run in runs for layer, ms in run)
        return summarize(nodes, len(runs))


def _require_contract(source: EngineSource, loaded: LoadedEngine, metadata: ExportMetadata) -> LoadedEngine:
    """Return the engine with its outputs in the contract's order; the library promises none."""
    found = (loaded.input, *loaded.outputs)
    expected = (input_spec(metadata), *output_specs(metadata))
    if sorted(found, key=str) != sorted(expected, key=str):
        raise SegppError(
            f"{describe_source(source)} takes and gives {'; '.join(map(str, found))}.",
            f"{'; '.join(map(str, expected))}, as its metadata says.",
            REBUILD,
        )
    return replace(loaded, outputs=output_specs(metadata))
