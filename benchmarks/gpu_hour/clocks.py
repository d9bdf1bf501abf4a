"""Clocks, power and temperature of the GPU while a step runs, as `nvidia-smi` tells them."""

from __future__ import annotations

import csv
import shutil
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_PROGRAM = "nvidia-smi"
_FIELDS = ("clocks.sm", "clocks.mem", "power.draw", "temperature.gpu", "utilization.gpu")
_NAMES = ("sm_mhz", "memory_mhz", "power_w", "temperature_c", "utilization_percent")
_EVERY_MS = 500
_SET_UP = ("clocks.max.sm", "clocks.max.mem", "power.limit", "power.max_limit", "persistence_mode", "mig.mode.current")


@contextmanager
def watch_gpu() -> Iterator[dict[str, Any]]:
    """Fill the mapping that is given, when the block ends, with the least, median and largest of each value."""
    summary: dict[str, Any] = {}
    if shutil.which(_PROGRAM) is None:
        yield summary
        return
    command = [_PROGRAM, f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits", f"-lms={_EVERY_MS}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield summary
    finally:
        process.terminate()
        text, _ = process.communicate()
        summary.update(summarize(text))


def summarize(text: str) -> dict[str, Any]:
    """Return the least, median and largest of every value in what `nvidia-smi` printed; unreadable ones are left out.

    Example:
        >>> summarize("1980, 2619, 120.5, 40, 0\\n1755, 2619, 690.0, 61, 100\\n")["power_w"]
        [120.5, 405.25, 690.0]
    """
    columns: list[list[float]] = [[] for _ in _NAMES]
    for row in csv.reader(text.splitlines()):
        if len(row) != len(_NAMES):
            continue  # the last line, cut short
        for column, word in zip(columns, row, strict=True):
            try:
                column.append(float(word))
            except ValueError:
                continue  # [N/A]
    return {
        name: [min(column), statistics.median(column), max(column)]
        for name, column in zip(_NAMES, columns, strict=True)
        if column
    }


def describe_gpu() -> dict[str, str]:
    """Return how the GPU is set up; empty without `nvidia-smi`."""
    if shutil.which(_PROGRAM) is None:
        return {}
    command = [_PROGRAM, f"--query-gpu={','.join(_SET_UP)}", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    rows = list(csv.reader(done.stdout.splitlines()))
    return dict(zip(_SET_UP, (word.strip() for word in rows[0]), strict=False)) if done.returncode == 0 and rows else {}
