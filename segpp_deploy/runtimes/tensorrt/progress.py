"""How far a build is, and how to stop it: the library's phases, steps in phases in steps, as one fraction."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from segpp_deploy.progress import PERCENT, Progress

_POLL_SECONDS = 0.05
_STEP = "Compiling"
Result = TypeVar("Result")


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class BuildTracker:
    """Takes the library's calls, from whichever thread; never raises there.

    Example:
        >>> tracker = BuildTracker()
        >>> tracker.start("build", None, 4)
        >>> tracker.complete("build", 0), tracker.fraction
        (True, 0.25)
        >>> tracker.start("tactics", "build", 2)
        >>> tracker.complete("tactics", 0), tracker.fraction
        (True, 0.375)
        >>> tracker.cancel()
        >>> tracker.complete("tactics", 1)
        False
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._phases: dict[str, _Phase] = {}
        self._fraction = 0.0
        self._is_cancelled = False

    @property
    def fraction(self) -> float:
        """How much is done, 0 .. 1; never falls."""
        with self._lock:
            return self._fraction

    def cancel(self) -> None:
        """Make the next finished step the last."""
        self._is_cancelled = True

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Enter a phase."""
        with self._lock:
            self._phases[name] = _Phase(parent, max(1, steps))

    def complete(self, name: str, step: int) -> bool:
        """Note a finished step; False stops the build."""
        with self._lock:
            if name in self._phases:
                self._phases[name].done = step + 1
                self._fraction = max(self._fraction, self._sum_up(name))
        return not self._is_cancelled

    def finish(self, name: str) -> None:
        """Leave a phase."""
        with self._lock:
            self._phases.pop(name, None)

    def _sum_up(self, name: str) -> float:
        within = 0.0
        phase: _Phase | None = self._phases[name]
        for _ in range(len(self._phases)):  # a bound, should the library ever report a circle
            if phase is None:
                break
            within = min(1.0, (phase.done + within) / phase.steps)
            phase = self._phases.get(phase.parent) if phase.parent else None
        return min(1.0, within)


def make_monitor(api: Any, tracker: BuildTracker) -> Any:
    """Return an `IProgressMonitor` that tells the tracker."""

    class Monitor(api.IProgressMonitor):  # type: ignore[misc]
        """Passes the calls on."""

        def __init__(self) -> None:
            api.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            tracker.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return tracker.complete(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            tracker.finish(phase_name)

    return Monitor()


def run_tracked(work: Callable[[], Result], tracker: BuildTracker, progress: Progress) -> Result:
    """Run `work` in a thread while this one reports the progress and stays open to Ctrl-C.

    Python handles Ctrl-C in the main thread only, which a build would keep busy in C++ for minutes.

    Raises:
        KeyboardInterrupt: Ctrl-C; after the library has stopped at its next step.
        BaseException: what `work` or `progress` raises.
    """
    outcome: list[Result] = []
    failure: list[BaseException] = []
    finished = threading.Event()  # a join that Ctrl-C interrupts takes the thread for dead (Python 3.10 to 3.12)

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)
        finally:
            finished.set()

    thread = threading.Thread(target=run, name="engine-builder")
    try:
        thread.start()
        while not finished.wait(_POLL_SECONDS):
            _report(tracker, progress)
    except BaseException:
        tracker.cancel()
        if thread.ident is not None:  # else Ctrl-C came before there was anything to wait for
            finished.wait()
        raise
    if failure:
        raise failure[0]
    _report(tracker, progress)
    return outcome[0]


def _report(tracker: BuildTracker, progress: Progress) -> None:
    progress(_STEP, int(PERCENT * tracker.fraction), PERCENT)
