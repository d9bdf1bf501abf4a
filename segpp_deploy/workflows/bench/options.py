"""What can be asked of `bench`; apart from the work, so that options are checked before libraries load."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.errors import CommandText

ITERATIONS = 50
WARMUP = 5


@dataclass(frozen=True)
class BenchOptions:
    """What to measure.

    Args:
        engines: the files; the first is the baseline of the speed-ups.
        iterations: timed calls of each.
        warmup: untimed calls of each before.
        profile: take the time by part of the network and by operation as well, in runs of their own.
        threads: CPU threads; None = what the engines were built with.
        report_dir: write bench.json, bench.md and bench.html there.
        batch: images per call, which engines with a dynamic batch are given; None = what each was exported for, and
            one where its batch is dynamic.
        baseline: an earlier bench.json; engines that are slower than there, beyond noise, fail the command.
        end_to_end: also time what lies between a picture file and the answer in the picture's own geometry.
        picture: a picture, or a directory of them, for that, which it asks for by itself; None: a generated one.
        sustained_s: seconds that each engine then runs without a pause; None: it does not.
    """

    engines: tuple[Path, ...]
    iterations: int = ITERATIONS
    warmup: int = WARMUP
    profile: bool = False
    threads: int | None = None
    report_dir: Path | None = None
    batch: int | None = None
    baseline: Path | None = None
    end_to_end: bool = False
    picture: Path | None = None
    sustained_s: float | None = None

    @property
    def times_pictures(self) -> bool:
        """Whether pictures are timed from end to end."""
        return self.end_to_end or self.picture is not None

    @property
    def command(self) -> CommandText:
        """The command that asks for the same."""
        return commands.bench(
            *self.engines,
            profile=self.profile,
            end_to_end=self.end_to_end,
            iterations=self.iterations,
            warmup=self.warmup,
            threads=self.threads,
            batch=self.batch,
            picture=self.picture,
            sustained=self.sustained_s,
            baseline=self.baseline,
        )
