"""Sizes at which merging was measured not to pay; `benchmarks/measure/scaling.py` writes the file that is read here."""

from __future__ import annotations

import json
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.config import Arch, Size, parse_size
from segpp_deploy.errors import CommandText

GAINS_FILE = Path(__file__).with_name("measured_gains.json")


def explain_small_size(arch: Arch, mode: str, size: Size) -> str:
    """Say where a mode was no faster than `original` at this size; "" where it was, or was not measured.

    Example:
        >>> explain_small_size(Arch.B0, "original", Size(64, 64))
        ''
    """
    document = json.loads(GAINS_FILE.read_text(encoding="utf-8"))
    targets = [
        gain["target"]
        for gain in document["gains"]
        if (gain["arch"], gain["mode"]) == (arch, mode) and gain["up_to"] and _fits_in(size, gain["up_to"])
    ]
    if not targets:
        return ""
    where = f"{' and '.join(targets)} ({document['machine']})"
    return CommandText(
        f"At {size} {mode} was no faster than original on {where}; compare both here: "
        + commands.bench("original.engine", f"{mode}.engine")
    )


def _fits_in(size: Size, measured: str) -> bool:
    most = parse_size(measured)
    return size.height * size.width <= most.height * most.width
