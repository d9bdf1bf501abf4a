"""What can be asked of `demo`; apart from the work, so that options are checked before libraries load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from segpp_deploy.config import Preset, Size, TaskName
from segpp_deploy.workflows.compare.options import PLAIN_BASELINE

ITERATIONS = 15


@dataclass(frozen=True)
class Subject:
    """What the demo of a task shows.

    Args:
        model: the card of the model that comes with this package.
        size: what the engines take, in pixels.
        kind: of data set, whose held-out part is drawn when asked.
        images: of it that modes are judged on.
        counted: what those are, in the plural.
        ends: what an engine takes and gives, in words.
        baseline: what the first row is.
    """

    model: str
    size: Size
    kind: str
    images: int
    counted: str
    ends: str
    baseline: str


SUBJECTS: Mapping[TaskName, Subject] = {
    TaskName.SEG: Subject(
        "segformer_b0_scenes",
        Size(512, 1024),
        kind="scenes",
        images=24,
        counted="held-out scenes",
        ends="picture in and label map out",
        baseline=PLAIN_BASELINE,
    ),
    TaskName.POSE: Subject(
        "segformer_b0_people",
        Size(256, 192),
        kind="people",
        images=100,
        counted="held-out people",
        ends="crop of a person in and heatmaps out",
        baseline=str(Preset.ORIGINAL),
    ),
}


@dataclass(frozen=True)
class DemoOptions:
    """What the demo does; None where the task's own choice stands.

    Args:
        out: the report directory.
        images: held-out pictures or people to judge precisions and modes on.
        iterations: timed calls of each engine.
        model: a card, or a card file.
        size: what the engines take, in pixels.
        modes: what is compared.
        task: segmentation or pose.
    """

    out: Path
    images: int | None = None
    iterations: int = ITERATIONS
    model: str | None = None
    size: Size | None = None
    modes: tuple[Preset, ...] = (Preset.ORIGINAL, Preset.HQ_PLUS, Preset.FAST_PLUS)
    task: TaskName = TaskName.SEG

    @property
    def subject(self) -> Subject:
        """What is shown, with the user's own choices."""
        plain = SUBJECTS[self.task]
        return replace(
            plain,
            model=self.model or plain.model,
            size=self.size or plain.size,
            images=self.images or plain.images,
        )
