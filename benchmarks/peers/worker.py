"""One variant in a process of its own: its memory and threads touch no other's, and go with it."""

from __future__ import annotations

import gc
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.peers import runners
from benchmarks.peers.runners import Runner, StepTimes
from benchmarks.peers.variants import Case
from benchmarks.peers.workshop import Workshop
from segpp_deploy.evaluation.memory import high_water_bytes
from segpp_deploy.runtimes.profiling import OperationGroup

_LOADED: list[tuple[Workshop, Runner]] = []
"""In the worker's process: what it was started for."""


class Worker:
    """The parent's side. What fails over there is raised here; a process that dies raises `BrokenExecutor`."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        self._folder = folder
        self._process = ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    def load(self) -> float:
        """Load the variant, run it once, and return the share of labels that are as in the reference."""
        return self._process.submit(_load, self.case, self._folder).result()

    def run(self) -> StepTimes:
        """Label the picture and return the times."""
        return self._process.submit(_run).result()

    def peak_bytes(self) -> int:
        """Return the most memory the process has held."""
        return self._process.submit(high_water_bytes).result()

    def profile(self) -> dict[OperationGroup, float]:
        """Return the milliseconds of each group of operations of an engine of ours, which is loaded once more."""
        return self._process.submit(_profile, self.case, self._folder).result()

    def close(self) -> None:
        """End the process."""
        self._process.shutdown(cancel_futures=True)


def make_files(case: Case, folder: Path) -> None:
    """Make what the variant is loaded from, in a process that ends: making takes more memory than running."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        process.submit(_make_files, case, folder).result()


def _make_files(case: Case, folder: Path) -> None:
    workshop = _open_workshop(case, folder)
    workshop.reference(case.variant.mode)
    runners.make_file(case, workshop)


def _open_workshop(case: Case, folder: Path) -> Workshop:
    return Workshop(folder, case.arch, case.size)


def _load(case: Case, folder: Path) -> float:
    workshop = _open_workshop(case, folder)
    runner = runners.load(case, workshop)
    _LOADED.append((workshop, runner))
    gc.disable()
    labels, _times = runner.run(workshop.picture)
    return float(np.mean(labels == workshop.reference(case.variant.mode)))


def _run() -> StepTimes:
    ((workshop, runner),) = _LOADED
    return runner.run(workshop.picture)[1]


def _profile(case: Case, folder: Path) -> dict[OperationGroup, float]:
    return runners.profile(case, _open_workshop(case, folder))
