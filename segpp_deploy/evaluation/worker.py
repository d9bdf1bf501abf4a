"""One engine in a process of its own: its threads, its memory and its end touch no other engine's."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any

from segpp_deploy.engine.open import open_session
from segpp_deploy.errors import SegppError, one_line
from segpp_deploy.evaluation.latency import run_for, time_ms
from segpp_deploy.evaluation.memory import high_water_bytes
from segpp_deploy.graph.contract import noise_images
from segpp_deploy.runtimes.profiling import profile_session
from segpp_deploy.runtimes.session import Profile, Session, SessionOptions

Opener = Callable[[Path, SessionOptions], Session]


class _Request(Enum):
    RUN = "run"
    PREDICT = "predict"
    RUN_FOR = "run for"
    PEAK_MEMORY = "peak memory"


@dataclass
class EngineWorker:
    """The parent's side of the process that holds an engine."""

    engine: Path
    load_seconds: float
    _pipe: Connection
    _process: Any

    def run_ms(self) -> float:
        """Run the engine once on noise and return the milliseconds it took, measured over there."""
        return float(self._ask(_Request.RUN))

    def predict_ms(self, picture: Path) -> float:
        """Return the milliseconds from a picture file to the prediction in the picture's geometry."""
        return float(self._ask(_Request.PREDICT, picture))

    def run_for(self, seconds: float) -> list[float]:
        """Run the engine on noise for so long without a pause, at least once; return the milliseconds of each call."""
        return list(self._ask(_Request.RUN_FOR, seconds))

    def peak_memory_bytes(self) -> int:
        """Return the most resident memory the process has had: interpreter, runtime, engine and runs."""
        return int(self._ask(_Request.PEAK_MEMORY))

    def _ask(self, request: _Request, argument: Path | float | None = None) -> Any:
        try:
            self._pipe.send((request, argument))
            return _receive(self._pipe, self.engine, self._process)
        except (BrokenPipeError, ConnectionResetError):
            raise _death(self.engine, self._process) from None


@contextlib.contextmanager
def start_worker(
    engine: Path, options: SessionOptions, open_batch: int = 1, open_engine: Opener = open_session
) -> Iterator[EngineWorker]:
    """Load an engine in a fresh process; the process ends with the block.

    Args:
        engine: its file.
        options: how to open it.
        open_batch: images per run where the engine's batch is open.
        open_engine: opens it over there, so it has to be a module's own function.

    Raises:
        SegppError: the engine cannot be opened, or the process dies (e.g. for lack of memory).
    """
    with _process(_serve, engine, options, open_batch, open_engine) as (pipe, process):
        load_seconds = float(_receive(pipe, engine, process))
        yield EngineWorker(engine, load_seconds, pipe, process)


def profile_engine(engine: Path, options: SessionOptions, runs: int, warmup: int, open_batch: int = 1) -> Profile:
    """Return where the time of an engine's runs goes, as means over `runs` runs in a fresh process.

    Args:
        engine: its file.
        options: how to open it.
        runs: how many runs count.
        warmup: how many before them do not.
        open_batch: images per run where the engine's batch is open.

    Raises:
        SegppError: the engine cannot be opened or run, or the process dies.
    """
    with _process(_profile, engine, options, runs, warmup, open_batch) as (pipe, process):
        profile: Profile = _receive(pipe, engine, process)
        return profile


@contextlib.contextmanager
def _process(work: Any, engine: Path, *arguments: Any) -> Iterator[tuple[Connection, Any]]:
    context = multiprocessing.get_context("spawn")  # runtimes do not survive a fork
    ours, theirs = context.Pipe()
    process = context.Process(target=_guard, args=(theirs, work, engine, *arguments), daemon=True)
    with _interrupts_ignored(), _main_module_hidden():
        process.start()
    theirs.close()  # so that the process's death ends our wait
    try:
        yield ours, process
    finally:
        ours.close()
        process.kill()
        process.join()


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """A process that starts inside ignores Ctrl-C: its parent, whom Ctrl-C reaches too, will end it."""
    if threading.current_thread() is not threading.main_thread():  # where Python cannot change signals
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


@contextlib.contextmanager
def _main_module_hidden() -> Iterator[None]:
    """A process that starts inside does not run the caller's script again.

    What the script imports would count as the engine's memory, and a script without a guard would never end.
    """
    name = "__main__"
    script = sys.modules[name]
    sys.modules[name] = ModuleType(name)
    try:
        yield
    finally:
        sys.modules[name] = script


def _receive(pipe: Connection, engine: Path, process: Any) -> Any:
    try:
        answer = pipe.recv()
    except (EOFError, ConnectionResetError):
        raise _death(engine, process) from None
    if isinstance(answer, SegppError):
        raise answer
    return answer


def _death(engine: Path, process: Any) -> SegppError:
    process.join()
    return SegppError(
        f"The process that ran {engine} died (exit code {process.exitcode}).",
        "a run that ends normally (-9 usually means that the machine ran out of memory).",
        "Measure fewer engines at once, or use a smaller model or size.",
    )


def _guard(pipe: Connection, work: Any, engine: Path, *arguments: Any) -> None:
    """Run the process's work; every error becomes an answer."""
    try:
        work(pipe, engine, *arguments)
    except SegppError as error:
        pipe.send(error)
    except (EOFError, BrokenPipeError):
        pass  # the parent has ended
    except Exception as error:
        pipe.send(SegppError(f"{engine} failed: {type(error).__name__}: {one_line(error)}", "a run without an error."))


def _serve(pipe: Connection, engine: Path, options: SessionOptions, open_batch: int, open_engine: Opener) -> None:
    start = time.perf_counter()
    with contextlib.closing(open_engine(engine, options)) as session:
        pipe.send(time.perf_counter() - start)
        images = noise_images(session.metadata, open_batch)
        gc.disable()
        while True:
            request, argument = pipe.recv()
            if request is _Request.RUN:
                pipe.send(time_ms(partial(session.run, images)))
            elif request is _Request.PREDICT:
                pipe.send(time_ms(partial(_predict, session, argument)))
            elif request is _Request.RUN_FOR:
                pipe.send(run_for(partial(session.run, images), argument))
            else:
                pipe.send(high_water_bytes())


def _predict(session: Session, picture: Path) -> None:
    """Decode, resize, run, and bring the answer into the picture's geometry."""
    from segpp_deploy.data.images import read_image  # OpenCV, which engines on noise do without
    from segpp_deploy.evaluation.predictor import Predictor

    Predictor[Any](session).predict([read_image(picture)])


def _profile(pipe: Connection, engine: Path, options: SessionOptions, runs: int, warmup: int, open_batch: int) -> None:
    session = open_session(engine, SessionOptions(options.threads, profile=True))
    pipe.send(profile_session(session, runs, warmup, open_batch))
