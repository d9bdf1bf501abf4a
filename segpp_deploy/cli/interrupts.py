"""Ctrl-C: ends the program at once while its modules load, later raises KeyboardInterrupt, and is never lost."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

from segpp_deploy.errors import SegppError

EXIT_CODE = 2
MESSAGE = str(
    SegppError("Interrupted; nothing was left half-written.", "the command to run to its end.", "Run it again.")
)

_IMPORT_SYSTEM = "importlib._bootstrap"
_HERE = __name__.rpartition(".")[0]


@dataclass
class InterruptWatch:
    """Whether Ctrl-C was pressed: libraries turn the KeyboardInterrupt they meet into errors of their own."""

    was_interrupted: bool = False


@contextlib.contextmanager
def watch_interrupts() -> Iterator[InterruptWatch]:
    """Handle Ctrl-C inside the block; where it was ignored (nohup) or Python cannot change signals nothing changes."""
    watch = InterruptWatch()
    is_ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) in (
        signal.SIG_DFL,
        signal.default_int_handler,
    )
    if not is_ours:
        yield watch
        return

    def interrupt(_number: int, frame: FrameType | None) -> None:
        watch.was_interrupted = True
        if is_loading_command(frame):
            # Extension modules drop a KeyboardInterrupt, or abort on it, when it meets them half-loaded.
            print(MESSAGE, file=sys.stderr, flush=True)
            os._exit(EXIT_CODE)
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGINT, interrupt)
    try:
        yield watch
    finally:
        signal.signal(signal.SIGINT, previous)


def is_loading_command(frame: FrameType | None) -> bool:
    """Tell whether `frame` is part of an import that a module of the command line asked for: no work has begun."""
    importer = None
    while frame is not None:
        if frame.f_globals.get("__name__") == _IMPORT_SYSTEM:
            importer = frame.f_back
        frame = frame.f_back
    return importer is not None and str(importer.f_globals.get("__name__", "")).startswith(_HERE)
