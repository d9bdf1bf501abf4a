"""What one worker makes for all of them: a fixture is set up anew by every worker that runs one of its tests."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

T = TypeVar("T")


def make_once(folder: Path, make: Callable[[Path], T]) -> T:
    """Return what `make(folder)` returned to the first who asked; others wait meanwhile.

    Args:
        folder: below the workers' own; holds what is made.
        make: fills the folder, and returns what can be pickled.
    """
    result = folder.with_name(f"{folder.name}.pickle")
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if not result.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what was left half made
            folder.mkdir()
            result.write_bytes(pickle.dumps(make(folder)))
    found: T = pickle.loads(result.read_bytes())
    return found
