"""TensorRT's timing cache in a file that several builds may share."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock

from segpp_deploy.errors import SegppError
from segpp_deploy.files import write_bytes
from segpp_deploy.runtimes.tensorrt.api import TensorRt


def load_timing_cache(trt: TensorRt, config: Any, path: Path) -> None:
    """Give the builder the times kept in `path`, or an empty cache where there is no such file yet.

    Raises:
        SegppError: the file cannot be read, or comes from another version or GPU.
    """
    cache = _parse(trt, config, _read(path))
    if cache is None or not config.set_timing_cache(cache, False):
        raise _foreign(trt, path)


def save_timing_cache(trt: TensorRt, config: Any, path: Path) -> None:
    """Add what this build measured to `path`, and to what other builds have put there meanwhile.

    Raises:
        SegppError: the file cannot be written, or another build replaced it by one of another version.
    """
    measured = config.get_timing_cache()
    with _locked(path):
        others = _parse(trt, config, _read_unlocked(path))
        if others is None or not measured.combine(others, False):
            raise _foreign(trt, path)
        write_bytes(path, bytes(measured.serialize()))


def _read(path: Path) -> bytes:
    with _locked(path):
        return _read_unlocked(path)


def _read_unlocked(path: Path) -> bytes:
    try:
        return path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise _no_access(path, error) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = FileLock(path.with_name(path.name + ".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise _no_access(path, error) from error
    try:
        yield
    finally:
        lock.release()


def _parse(trt: TensorRt, config: Any, content: bytes) -> Any:
    """Return the cache in a file's content; None where the library does not understand it."""
    trt.log.clear()
    cache = config.create_timing_cache(content)
    # Content that it does not understand gives an empty cache and a warning.
    return None if any("timing cache" in warning.lower() for warning in trt.log.warnings) else cache


def _foreign(trt: TensorRt, path: Path) -> SegppError:
    return trt.error(
        f"{path} is no timing cache that {trt.info.runtime} {trt.version} can use on this GPU",
        "a file that it wrote itself, on a GPU of this kind.",
        f"Name another file, or start anew: rm {shlex.quote(str(path))}",
    )


def _no_access(path: Path, error: OSError) -> SegppError:
    return SegppError(
        f"The timing cache {path} cannot be opened: {error.strerror or error}.",
        "a file in a directory you may write to.",
        "Name another file, or build without a timing cache.",
    )
