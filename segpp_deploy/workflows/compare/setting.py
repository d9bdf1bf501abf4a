"""What the models of a comparison have in common, and how a row's failure is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segpp_deploy.errors import SegppError, is_interrupt, one_line
from segpp_deploy.evaluation.environment import Environment
from segpp_deploy.model.plan import MergePlan
from segpp_deploy.progress import Progress
from segpp_deploy.tuning.search.candidate import EngineKind
from segpp_deploy.workflows.compare.gallery import Gallery
from segpp_deploy.workflows.compare.inputs import Inputs
from segpp_deploy.workflows.compare.journal import Journal
from segpp_deploy.workflows.compare.options import CompareOptions


@dataclass
class Setting:
    """What the models of a comparison have in common.

    Args:
        options: what was asked.
        plans: by what the user called them.
        kinds: targets and precisions.
        inputs: the pictures.
        journal: what is known.
        work: the folder of what is needed until the end.
        environment: the machine.
        progress: told about each step.
        reused: rows that were known.
        stale: rows that were known under other conditions.
        galleries: the pictures so far.
        notes: what the user should know.
    """

    options: CompareOptions
    plans: Mapping[str, MergePlan]
    kinds: Sequence[EngineKind]
    inputs: Inputs
    journal: Journal
    work: Path
    environment: Environment
    progress: Progress
    reused: int = 0
    stale: int = 0
    galleries: list[Gallery] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def explain_failure(error: Exception) -> str:
    """Return what went wrong with one row, in a sentence; runtimes raise what they like, and the other rows go on.

    Raises:
        Exception: it is Ctrl-C, or what a library made of it.
    """
    if is_interrupt(error):
        raise error
    return one_line(error.what) if isinstance(error, SegppError) else f"{type(error).__name__}: {one_line(error)}"
