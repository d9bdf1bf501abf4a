"""How fast engines are: each in a process of its own, all of a size in turns, as many at once as memory holds."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.evaluation.latency import InterleavedLatency, take_turns
from segpp_deploy.evaluation.memory import available_bytes
from segpp_deploy.evaluation.worker import EngineWorker, Opener, start_worker
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.session import SessionOptions
from segpp_deploy.workflows.compare.findings import Timed

WARMUP = 3
MEMORY_SHARE = 0.5
"""Of the memory that is free at the start; engines that are loaded at once may fill so much of it."""


@dataclass(frozen=True)
class Racer:
    """An engine that is timed.

    Args:
        key: of its row.
        engine: its file.
        opener: opens it in its process.
    """

    key: str
    engine: Path
    opener: Opener


@dataclass(frozen=True)
class TimedGroup:
    """Engines that took turns.

    Args:
        timed: by key.
        failed: why the others could not be timed, in a sentence, by key.
    """

    timed: Mapping[str, Timed]
    failed: Mapping[str, str]


@dataclass
class _Running:
    """A racer's process. Its timers give NaN once it has failed, so that the others go on."""

    worker: EngineWorker
    peak_bytes: int
    pictures: Iterator[Path]
    failure: str = ""

    def call_ms(self) -> float:
        return self._try(self.worker.run_ms)

    def predict_ms(self) -> float:
        picture = next(self.pictures)
        return self._try(lambda: self.worker.predict_ms(picture))

    def _try(self, run: Callable[[], float]) -> float:
        if not self.failure:
            try:
                return run()
            except SegppError as error:
                self.failure = one_line(error.what)
        return math.nan


@dataclass
class Race:
    """Times engines of one size, of which the baseline is part of every group, so that speed-ups are ratios of one.

    Args:
        baseline: what speed-ups are over; None where it cannot run.
        pictures: files, one of which each end-to-end call takes after the other.
        iterations: timed calls of each engine.
        threads: CPU threads; None = what engines were built with.
        progress: told about every call.
        room_bytes: so much memory the engines of a group may take together.
    """

    baseline: Racer | None
    pictures: Sequence[Path]
    iterations: int
    threads: int | None
    progress: Progress
    room_bytes: float = field(default_factory=lambda: MEMORY_SHARE * available_bytes())

    def run(self, racers: Sequence[Racer]) -> Iterator[TimedGroup]:
        """Yield group after group until each of the racers, the baseline beside them, was timed."""
        waiting = deque(racers)
        while waiting:
            yield self._run_group(waiting)

    def _run_group(self, waiting: deque[Racer]) -> TimedGroup:
        running: dict[str, _Running] = {}
        failed: dict[str, str] = {}
        with ExitStack() as stack:
            room = self.room_bytes
            if self.baseline is not None:
                waiting.appendleft(self.baseline)
            while waiting:
                racer = waiting.popleft()
                self.progress(f"Loading engines to be timed, {len(waiting)} more", len(running), len(running) + 1)
                with ExitStack() as started:
                    try:
                        one = self._start(racer, started)
                    except SegppError as error:
                        failed[racer.key] = one_line(error.what)
                        continue
                    is_first = all(self._is_baseline(key) for key in running)
                    if one.peak_bytes > room and not is_first:
                        waiting.appendleft(racer)
                        break
                    room -= one.peak_bytes
                    running[racer.key] = one
                    stack.push(started.pop_all())
            if not running:
                return TimedGroup({}, failed)
            latency = self._take_turns(running)
        failed |= {key: one.failure for key, one in running.items() if one.failure}
        alive = {key: one for key, one in running.items() if key not in failed}
        return TimedGroup({key: self._summarise(key, one, latency, alive) for key, one in alive.items()}, failed)

    def _is_baseline(self, key: str) -> bool:
        return self.baseline is not None and key == self.baseline.key

    def _start(self, racer: Racer, stack: ExitStack) -> _Running:
        options = SessionOptions(self.threads)
        worker = stack.enter_context(start_worker(racer.engine, options, open_engine=racer.opener))
        worker.run_ms()
        return _Running(worker, worker.peak_memory_bytes(), itertools.cycle(self.pictures))

    def _take_turns(self, running: Mapping[str, _Running]) -> InterleavedLatency:
        timers = {}
        for key, one in running.items():
            timers[_call(key)] = one.call_ms
            timers[_way(key)] = one.predict_ms
        return take_turns(timers, self.iterations, WARMUP, self.progress)

    def _summarise(self, key: str, one: _Running, latency: InterleavedLatency, alive: Mapping[str, _Running]) -> Timed:
        call, way = latency.stats(_call(key)), latency.stats(_way(key))
        has_baseline = self.baseline is not None and self.baseline.key in alive
        speedup = latency.speedup(_call(self.baseline.key), _call(key)) if self.baseline and has_baseline else None
        return Timed(call.median, call.p95, way.median, way.p95, speedup, one.peak_bytes, call.samples)


def _call(key: str) -> str:
    return f"call {key}"


def _way(key: str) -> str:
    return f"whole way {key}"
