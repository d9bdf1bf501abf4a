"""Sessions on TensorRT and TensorRT-RTX: targets `tensorrt` and `tensorrt-rtx`."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.contract import TensorSpec
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.runtimes.session import OperationTime, SessionOptions, require_images
from segpp_deploy.runtimes.tensorrt.api import import_tensorrt
from segpp_deploy.runtimes.tensorrt.loader import LoadedEngine, load_engine
from segpp_deploy.runtimes.tensorrt.runner import EngineRunner


class TensorRtSession:
    """An engine on the GPU. Pictures go in and labels come out as they are; all else happens on the GPU."""

    def __init__(self, engine: Path, manifest: Manifest, options: SessionOptions) -> None:
        self.metadata: ExportMetadata = manifest.metadata
        trt = import_tensorrt(manifest.target)
        loaded = load_engine(trt, engine, needs_plugins=manifest.runtime.plugin_sha256 is not None)
        _require_contract(engine, loaded, manifest)
        self._runner: EngineRunner | None = EngineRunner(trt, loaded, options.profile)
        self._layer_times = self._runner.layer_times

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """Compute; see `Session.run`. A dynamic batch may be as large as the engine was built for."""
        images = require_images(images, self.metadata)
        if self._runner is None:
            raise SegppError("The session was closed.", "an open session.", "Open the engine again.")
        return self._runner.run(images)

    def close(self) -> None:
        """Give the memory back."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def operation_times(self, skip_runs: int = 0) -> tuple[OperationTime, ...]:
        """Close the session and return the mean times; see `ProfiledSession`. An operation is a layer of the engine."""
        self.close()
        return sum_layers(self._layer_times[skip_runs:])


def sum_layers(runs: list[list[tuple[str, float]]]) -> tuple[OperationTime, ...]:
    """Average layer times over runs, the longest first.

    Example:
        >>> sum_layers([[("conv", 2.0)], [("conv", 4.0)]])
        (OperationTime(operation='conv', milliseconds=3.0, count=1),)
    """
    milliseconds: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    for layer, elapsed_ms in (entry for run in runs for entry in run):
        milliseconds[layer] += elapsed_ms
        counts[layer] += 1
    times = [
        OperationTime(layer, total / len(runs), round(counts[layer] / len(runs)))
        for layer, total in milliseconds.items()
    ]
    return tuple(sorted(times, key=lambda time: time.milliseconds, reverse=True))


def _require_contract(engine: Path, loaded: LoadedEngine, manifest: Manifest) -> None:
    found: tuple[TensorSpec, TensorSpec] = (loaded.input, loaded.output)
    expected = (manifest.input, manifest.output)
    if found != expected:
        raise SegppError(
            f"{engine} takes and gives {'; '.join(map(str, found))}.",
            f"{'; '.join(map(str, expected))}, as its manifest says.",
            f"Build it again: {manifest.rebuild_command(engine)}",
        )
