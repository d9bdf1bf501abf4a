"""What can be asked of `bench`; apart from the work, so that options are checked before libraries load."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ITERATIONS = 50
WARMUP = 5


@dataclass(frozen=True)
class BenchOptions:
    """What to measure.

    Args:
        engines: the files; the first is the baseline of the speed-ups.
        iterations: timed calls of each.
        warmup: untimed calls of each before.
        profile: take the time by operation as well, in runs of their own.
        threads: CPU threads; None = what the engines were built with.
        report_dir: write bench.json and bench.md there.
        batch: images per call, which engines with a dynamic batch are given; None = what each was exported for, and
            one where its batch is dynamic.
        baseline: an earlier bench.json; engines that are slower than there, beyond noise, fail the command.
    """

    engines: tuple[Path, ...]
    iterations: int = ITERATIONS
    warmup: int = WARMUP
    profile: bool = False
    threads: int | None = None
    report_dir: Path | None = None
    batch: int | None = None
    baseline: Path | None = None
