"""What one worker of a fleet takes of its machine."""

from __future__ import annotations

from dataclasses import dataclass

from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.hardware.devices import DeviceKind
from segpp_deploy.runtimes.registry import TARGETS


@dataclass(frozen=True)
class WorkerNeeds:
    """What is reserved for a worker.

    Args:
        cpus: and as many threads compute in it.
        gpus: 1 where its engine is for one.
    """

    cpus: int = 1
    gpus: int = 0


def needs_of(manifest: Manifest) -> WorkerNeeds:
    """Return what an engine takes: the threads it was built with, one where that was left open.

    Many workers of one thread do more in a second than one worker of many threads; so where nobody chose, a worker is a
    core.
    """
    is_for_gpu = DeviceKind.NVIDIA_GPU in TARGETS[manifest.target].auto_ranks
    return WorkerNeeds(manifest.threads or 1, int(is_for_gpu))
