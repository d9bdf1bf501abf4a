from __future__ import annotations

import pytest

from segpp_deploy.engine.manifest import Manifest
from segpp_deploy.fleet.needs import WorkerNeeds, needs_of
from segpp_deploy.runtimes.names import TargetName


@pytest.mark.parametrize(
    ("target", "threads", "needs"),
    [
        (TargetName.CPU, None, WorkerNeeds(1, 0)),
        (TargetName.OPENVINO, 4, WorkerNeeds(4, 0)),
        (TargetName.CUDA, None, WorkerNeeds(1, 1)),
        (TargetName.TENSORRT, None, WorkerNeeds(1, 1)),
    ],
)
def test_a_worker_takes_what_its_engine_was_built_for(
    target: TargetName, threads: int | None, needs: WorkerNeeds
) -> None:
    assert needs_of(Manifest.model_construct(target=target, threads=threads)) == needs
