"""What can be asked of `tune`; apart from the work, so that options are checked before libraries load."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segpp_deploy import commands
from segpp_deploy.config import Precision, Size, require_pictures
from segpp_deploy.errors import SegppError
from segpp_deploy.model.weights.source import ModelSource
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.search.options import Goal

if TYPE_CHECKING:
    from segpp_deploy.data.datasets import AnyDataset

OUT = Path("tuned")
IMAGES = 200
MINUTES = 15.0


@dataclass(frozen=True)
class TuneOptions:
    """What to search for, and how long.

    Args:
        source: the model.
        data: pictures to judge candidates on: KIND:PATH, a directory, or a data set.
        goal: what is searched for.
        out: the directory of the search's state and of its result.
        confirm: held-out pictures for the candidates that are chosen from; None: every third picture of `data`.
        images: judge, and confirm, on so many pictures at most; None: `IMAGES`, or fewer where those take too long.
        size: input size in pixels; None: the source's, or the task's.
        targets: runtimes to choose from; () for all that work here.
        precisions: number formats to choose from; () for all that the targets compute in here.
        gpu: rank by the cost model of a GPU that is not here; nothing is timed.
        minutes: how long everything may take.
        trials: end it after so many candidates were tried; None: when the time is over.
        seed: of the sampled plans.
        threads: CPU threads of the engines; None = one per physical core.
        resume: go on with the search whose state lies in `out`.

    Raises:
        SegppError: a number that cannot be, or options that exclude each other.
    """

    source: ModelSource
    data: str | AnyDataset
    goal: Goal
    out: Path = OUT
    confirm: str | AnyDataset | None = None
    images: int | None = None
    size: Size | None = None
    targets: tuple[TargetName, ...] = ()
    precisions: tuple[Precision, ...] = ()
    gpu: str | None = None
    minutes: float = MINUTES
    trials: int | None = None
    seed: int = 0
    threads: int | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        require_pictures("images", IMAGES if self.images is None else self.images)
        if not (math.isfinite(self.minutes) and self.minutes > 0):
            raise SegppError(
                f"--minutes {self.minutes:g} leaves no time.", "more than 0.", commands.option("minutes", MINUTES)
            )
        if self.trials is not None and self.trials < 1:
            raise SegppError(
                f"--trials {self.trials} tries nothing.", "a number of at least 1.", commands.option("trials", 40)
            )
        if self.gpu is not None and (self.targets or self.precisions):
            raise SegppError(
                "--gpu leaves no choice of targets and precisions.",
                "a GPU that is not here, or runtimes that are.",
                "Leave " + commands.option("gpu") + " out.",
            )
