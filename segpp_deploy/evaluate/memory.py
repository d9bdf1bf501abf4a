"""The most memory a piece of work held at once."""

from __future__ import annotations

import multiprocessing
import re
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from segpp_deploy.errors import SegppError

_STATUS = Path("/proc/self/status")


def peak_memory_in_subprocess(work: Callable[..., object], *arguments: Any, timeout_s: float = 600.0) -> int:
    """Run `work(*arguments)` in a fresh Python process and return the process's peak resident memory in bytes.

    The figure includes the interpreter and the libraries that the work loads: what a deployment needs in all.

    Args:
        work: a module-level function (it is pickled by name).
        arguments: its arguments, picklable.
        timeout_s: the process is ended after so many seconds.

    Raises:
        SegppError: the work raised, the process died (e.g. out of memory), or time ran out.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report_peak, args=(sender, work, arguments), daemon=True)
    process.start()
    sender.close()  # so that a child's death ends the wait
    name = getattr(work, "__name__", "the work")
    try:
        if not receiver.poll(timeout_s):
            raise SegppError(
                f"{name} did not finish within {timeout_s:g} seconds.",
                "a run that ends in time.",
                "Use a smaller model or size, or measure on a less busy machine.",
            )
        peak_bytes, failure = receiver.recv()
    except EOFError:
        process.join()
        raise SegppError(
            f"The process that ran {name} died (exit code {process.exitcode}) before it could report its memory.",
            "a process that ends normally (-9 usually means that the machine ran out of memory).",
            "Use a smaller model or size, or a machine with more memory.",
        ) from None
    finally:
        receiver.close()
        process.kill()
        process.join()
    if failure:
        raise SegppError(
            f"{name} failed in its own process: {failure}",
            "a run without an error.",
            "Run the same work by itself first.",
        )
    return int(peak_bytes)


def high_water_bytes() -> int:
    """Return the highest resident memory of this process since it began."""
    if sys.platform == "linux":
        return _status_bytes("VmHWM")
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, KiB elsewhere


def _report_peak(sender: Connection, work: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    try:
        work(*arguments)
    except BaseException as error:  # the parent reports it
        sender.send((0, f"{type(error).__name__}: {error}"))
    else:
        sender.send((high_water_bytes(), ""))
    sender.close()


def _status_bytes(field: str) -> int:
    match = re.search(rf"^{field}:\s*(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    return int(match[1]) * 1024 if match else 0
