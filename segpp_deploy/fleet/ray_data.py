"""Batches of jobs through workers of a Ray cluster.

Which worker gets what, how many there are, and what is done again where one dies, is Ray Data's part: a batch may be
done more than once, but its result is taken once.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import pickle
import socket
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from segpp_deploy import __version__, commands
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.fleet.needs import WorkerNeeds
from segpp_deploy.hardware.cpu import physical_cores

J = TypeVar("J")
R = TypeVar("R")
Worker = Callable[[Sequence[J]], R]

LOCAL = "local"
"""Instead of an address: a cluster of this machine, for this run alone."""

BATCH = 32
"""Jobs that a worker is given at once."""

INSTALL = "pip install 'segpp-deploy[ray]'"

_STORE_BYTES = 256 << 20  # of a local cluster; jobs are names, and results are counts
_PATIENCE_S = 10.0


@dataclass(frozen=True)
class Opening(Generic[J, R]):
    """How a worker begins, wherever Ray puts it.

    Args:
        open_worker: loads what is needed; it is called once in each worker's process.
        folder: where this process runs; workers go there if they have it, so that relative paths mean the same.
        version: ours; nodes with another one would give other results.
    """

    open_worker: Callable[[], Worker[J, R]]
    folder: str
    version: str = __version__

    def open(self) -> Worker[J, R]:
        """Return a worker.

        Raises:
            SegppError: it cannot be opened there, or another version is.
        """
        if self.version != __version__:
            raise SegppError(
                f"A node of the cluster has segpp-deploy {__version__}, and this is {self.version}.",
                "the same version everywhere.",
                f"On each node: pip install segpp-deploy=={self.version}",
            )
        with contextlib.suppress(OSError):
            os.chdir(self.folder)
        return self.open_worker()


def run_on_ray(
    address: str, jobs: Sequence[J], open_worker: Callable[[], Worker[J, R]], needs: WorkerNeeds
) -> Generator[R]:
    """Yield what workers make of batches of `BATCH` jobs, as they are done; closing it ends the work.

    Args:
        address: of a cluster that runs, or `LOCAL`.
        jobs: small and plain: each is pickled.
        open_worker: likewise; what it returns is not, it stays where it is.
        needs: of one worker.

    Raises:
        SegppError: Ray is not installed, the cluster cannot be reached or gave up, or what a worker raises.
    """
    ray = require_ray()
    with contextlib.redirect_stdout(sys.stderr), _connected(ray, address, needs):  # it prints when workers die
        try:
            for row in _results(ray, jobs, Opening(open_worker, os.getcwd()), needs):
                result = pickle.loads(row["result"])
                if isinstance(result, SegppError):
                    raise result
                yield result
        except SegppError:
            raise
        except Exception as error:  # of Ray, and of what it runs
            raise SegppError(
                f"The cluster gave up: {one_line(error)}.",
                f"nodes with segpp-deploy {__version__} and what the engine runs with, that stay alive.",
                "Look at Ray's logs: ray logs",
            ) from error


def require_ray() -> Any:
    """Return the module `ray`, with `ray.data`.

    Raises:
        SegppError: it is not installed.
    """
    try:
        importlib.import_module("ray.data")
    except ImportError as error:
        raise SegppError("Fleets need Ray Data, which is not installed.", "the extra 'ray'.", INSTALL) from error
    return importlib.import_module("ray")


def _results(ray: Any, jobs: Sequence[J], opening: Opening[J, R], needs: WorkerNeeds) -> Iterator[dict[str, bytes]]:
    """Yield rows as Ray gives them."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False  # ours tells how far it is
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    given = ray.data.from_items([{"job": pickle.dumps(job)} for job in jobs])
    done = given.map_batches(
        _Actor,
        fn_constructor_args=(opening,),
        batch_size=BATCH,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(min_size=1),
        num_cpus=needs.cpus,
        num_gpus=needs.gpus,
    )
    yield from done.iter_rows()


class _Actor(Generic[J, R]):
    """Lives in a worker's process. Errors that are ours are results: to Ray they would be crashes."""

    def __init__(self, opening: Opening[J, R]) -> None:
        self._opening = opening
        self._worker: Worker[J, R] | None = None

    def __call__(self, batch: Any) -> Any:
        """Take a table of pickled jobs and return a table of one pickled result."""
        result: R | SegppError
        try:
            if self._worker is None:
                self._worker = self._opening.open()
            result = self._worker([pickle.loads(job) for job in batch["job"].to_pylist()])
        except SegppError as error:
            result = error
        pyarrow: Any = importlib.import_module("pyarrow")
        return pyarrow.table({"result": pyarrow.array([pickle.dumps(result)], pyarrow.large_binary())})


@contextlib.contextmanager
def _connected(ray: Any, address: str, needs: WorkerNeeds) -> Iterator[None]:
    """Be a driver of a cluster inside the block; one whose driver this process is already stays so."""
    if ray.is_initialized():
        yield
        return
    settings: dict[str, Any] = {"address": address, "log_to_driver": False, "logging_level": logging.ERROR}
    if address == LOCAL:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        settings |= {
            "num_cpus": max(physical_cores(), needs.cpus),
            "object_store_memory": _STORE_BYTES,
            "include_dashboard": False,
        }
    else:
        _require_reachable(address)
    try:
        ray.init(**settings)
    except Exception as error:  # of many types
        raise _unreachable(address, error) from error
    try:
        yield
    finally:
        ray.shutdown()


def _require_reachable(address: str) -> None:
    """Look whether anybody listens: Ray itself tries for a minute."""
    if address == "auto":  # Ray knows where
        return
    host, _, port = address.rpartition("//")[2].rpartition(":")
    try:
        socket.create_connection((host, int(port)), _PATIENCE_S).close()
    except (OSError, ValueError) as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: Exception) -> SegppError:
    return SegppError(
        f"There is no Ray cluster at {address}: {one_line(error)}.",
        "HOST:PORT of a cluster's head (6379 is Ray's port), auto on one of its nodes, or local.",
        commands.option("ray", LOCAL) + ", or start one: ray start --head",
    )
