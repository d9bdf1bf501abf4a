"""The tasks by name."""

from __future__ import annotations

from segpp_deploy import commands
from segpp_deploy.config import OutputKind, TaskName
from segpp_deploy.errors import SegppError
from segpp_deploy.tasks.pose.task import PoseTask
from segpp_deploy.tasks.protocol.task import AnyTask
from segpp_deploy.tasks.segmentation.task import SegmentationTask

TASKS: dict[TaskName, AnyTask] = {TaskName.SEG: SegmentationTask(), TaskName.POSE: PoseTask()}


def choose_output(asked: OutputKind | None, task: TaskName, num_outputs: int) -> OutputKind:
    """Return what a model of a task is exported to put out: what was asked for, or the task's default.

    Raises:
        SegppError: the task has no such output, or none for so many classes.
    """
    allowed, default = TASKS[task].outputs, TASKS[task].default_output(num_outputs)
    if asked is None:
        return default
    if asked not in allowed:
        raise SegppError(
            f"--output {asked} does not fit a {task} model.",
            f"one of: {', '.join(str(kind) for kind in allowed)}.",
            commands.option("output", default),
        )
    return asked
