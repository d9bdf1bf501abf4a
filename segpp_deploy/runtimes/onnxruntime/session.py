"""Sessions on ONNX Runtime: targets `cpu` and `cuda`."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.runtimes.onnxruntime.loader import LoadOptions, Provider, load_onnxruntime, run_onnxruntime
from segpp_deploy.runtimes.session import OperationTime, SessionOptions, require_images
from segpp_deploy.runtimes.target import EngineSettings, EngineSource

_KERNEL_SUFFIX = "_kernel_time"


class OnnxRuntimeSession:
    """An engine loaded by ONNX Runtime, which writes profiles to a file; without one nothing is written."""

    def __init__(
        self,
        source: EngineSource,
        metadata: ExportMetadata,
        settings: EngineSettings,
        options: SessionOptions,
        provider: Provider,
    ) -> None:
        self.metadata = metadata
        self._profile_folder = Path(tempfile.mkdtemp(prefix="segpp-profile-")) if options.profile else None
        load_options = LoadOptions(
            provider=provider,
            threads=options.threads or settings.threads,
            profile_prefix=self._profile_folder / "run" if self._profile_folder else None,
        )
        self._session: Any = load_onnxruntime(source, load_options)

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """Compute; see `Session.run`."""
        return self.run_all(images)[0]

    def run_all(self, images: NDArray[Any]) -> list[NDArray[Any]]:
        """Compute; see `Session.run_all`."""
        return run_onnxruntime(self._session, require_images(images, self.metadata))

    def close(self) -> None:
        """Give the memory back."""
        self._session = None
        if self._profile_folder is not None:
            shutil.rmtree(self._profile_folder, ignore_errors=True)

    def operation_times(self, skip_runs: int = 0) -> tuple[OperationTime, ...]:
        """Close the session and return the mean times; see `ProfiledSession`."""
        try:
            events = json.loads(Path(self._session.end_profiling()).read_text(encoding="utf-8"))
        finally:
            self.close()
        return sum_events(events, skip_runs)


def sum_events(events: list[dict[str, Any]], skip_runs: int) -> tuple[OperationTime, ...]:
    """Sum ONNX Runtime's profile events by operation, as means over the runs but the first `skip_runs`.

    Example:
        >>> run = {"name": "model_run", "cat": "Session", "ts": 0, "dur": 3000}
        >>> add = {"name": "a_kernel_time", "cat": "Node", "ts": 1, "dur": 2000, "args": {"op_name": "Add"}}
        >>> sum_events([run, add], skip_runs=0)
        (OperationTime(operation='Add', milliseconds=2.0, count=1),)
    """
    starts = sorted(event["ts"] for event in events if event.get("name") == "model_run")[skip_runs:]
    microseconds: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    for event in events:
        if (
            starts
            and event.get("cat") == "Node"
            and event["name"].endswith(_KERNEL_SUFFIX)
            and event["ts"] >= starts[0]
        ):
            operation = event["args"]["op_name"]
            microseconds[operation] += event["dur"]
            counts[operation] += 1
    times = [
        OperationTime(operation, total / 1000 / len(starts), counts[operation] // len(starts))
        for operation, total in microseconds.items()
    ]
    return tuple(sorted(times, key=lambda time: time.milliseconds, reverse=True))
