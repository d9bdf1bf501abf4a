"""The most memory that this process has held at once, and how much there is for others."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

_STATUS, _MEMORY = Path("/proc/self/status"), Path("/proc/meminfo")


def high_water_bytes() -> int:
    """Return the highest resident memory of this process since it began."""
    if sys.platform == "linux":
        match = re.search(r"^VmHWM:\s*(\d+) kB", _STATUS.read_text(), re.MULTILINE)
        return int(match[1]) * 1024 if match else 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, KiB elsewhere


def available_bytes() -> int:
    """Return how much memory programs can still take without swapping; what there is, where nobody says more."""
    try:
        match = re.search(r"^MemAvailable:\s*(\d+) kB", _MEMORY.read_text(), re.MULTILINE)
    except OSError:
        match = None
    if match:
        return int(match[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 4 << 30
