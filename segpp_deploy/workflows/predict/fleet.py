"""Pictures through the workers of a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial

from segpp_deploy.config import Size
from segpp_deploy.fleet.engines import FleetEngines
from segpp_deploy.fleet.ray_data import run_on_ray
from segpp_deploy.tasks.protocol.task import AnyTask
from segpp_deploy.workflows.predict.pictures import PictureJob, PictureReport, PictureWorker, Wanted


class PictureFleet:
    """A `PictureRunner` on a cluster.

    Args:
        address: of the cluster.
        engines: for its workers.
        wanted: of each picture.
    """

    def __init__(self, address: str, engines: FleetEngines, wanted: Wanted) -> None:
        self._address = address
        self._engines = engines
        self._wanted = wanted

    @property
    def task(self) -> AnyTask:
        """What the engine does."""
        return self._engines.task

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The input sizes of the engines."""
        return self._engines.sizes

    def run(self, jobs: Sequence[PictureJob], report: PictureReport) -> Iterator[int]:
        """Deal with pictures; see `PictureRunner.run`.

        Raises:
            SegppError: the cluster is not there, too.
        """
        open_worker = partial(_open_worker, self._engines, self._wanted)
        with closing(run_on_ray(self._address, jobs, open_worker, self._engines.needs)) as parts:
            for part in parts:
                report.merge(part)
                yield report.handled
        report.failures.sort(str(job.target.source) for job in jobs)


def _open_worker(engines: FleetEngines, wanted: Wanted) -> PictureWorker:
    return PictureWorker(engines.open(), wanted)
