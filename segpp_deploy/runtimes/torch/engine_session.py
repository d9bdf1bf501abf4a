"""Sessions on PyTorch: target `torch`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segpp_deploy.config import Lowering, TorchDevice
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.hardware.cpu import physical_cores
from segpp_deploy.runtimes.profiling import NodeTime, summarize
from segpp_deploy.runtimes.session import Profile, SessionOptions, require_images
from segpp_deploy.runtimes.target import EngineSettings, EngineSource, describe_source
from segpp_deploy.runtimes.torch.cuda_ops import kernel_ops
from segpp_deploy.runtimes.torch.device import forbid_tf32
from segpp_deploy.runtimes.torch.profile import CLOCKS
from segpp_deploy.runtimes.torch.program import REFERENCE_OPS, load_program
from segpp_deploy.runtimes.torch.runner import CpuRunner, CudaRunner


class TorchEngineSession:
    """An engine as a PyTorch program. On a GPU our kernels compute its custom nodes, on a CPU their reference does."""

    def __init__(
        self,
        source: EngineSource,
        metadata: ExportMetadata,
        settings: EngineSettings,
        options: SessionOptions,
        device: TorchDevice,
    ) -> None:
        self.metadata = metadata
        on_gpu = device is TorchDevice.CUDA
        if on_gpu:
            forbid_tf32()
        custom_ops = kernel_ops() if on_gpu and metadata.lowering is Lowering.PLUGIN else REFERENCE_OPS
        content = source.read_bytes() if isinstance(source, Path) else source
        program = load_program(content, describe_source(source), device, settings.precision, custom_ops)
        threads = options.threads or settings.threads or physical_cores()
        self._runner: CpuRunner | CudaRunner | None = CudaRunner(program) if on_gpu else CpuRunner(program, threads)
        self._make_clock = CLOCKS[device] if options.profile else None
        self._runs: list[list[NodeTime]] = []

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """Compute; see `Session.run`."""
        return self.run_all(images)[0]

    def run_all(self, images: NDArray[Any]) -> list[NDArray[Any]]:
        """Compute; see `Session.run_all`."""
        images = require_images(images, self.metadata)
        if self._runner is None:
            raise SegppError("The session was closed.", "an open session.", "Open the engine again.")
        if self._make_clock is None:
            return self._runner.run(images)
        clock = self._make_clock()
        outputs = self._runner.run(images, clock.watch)
        self._runs.append(clock.read())
        return outputs

    def close(self) -> None:
        """Give the memory back."""
        self._runner = None

    def profile(self, skip_runs: int = 0) -> Profile:
        """Close the session and return the mean times; see `ProfiledSession`. An operation is one call."""
        self.close()
        runs = self._runs[skip_runs:]
        return summarize((node for run in runs for node in run), len(runs))
