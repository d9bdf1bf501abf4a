"""`segpp-deploy demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import JsonFlag, QuietFlag, names
from segpp_deploy.config import TaskName, parse_choice
from segpp_deploy.workflows.demo.options import DemoOptions


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where the report goes.")] = Path(
        "demo-report"
    ),
    task: Annotated[
        str, typer.Option(metavar=names(TaskName), help="Labels of street scenes, or keypoints of people.")
    ] = str(TaskName.SEG),
    images: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Held-out scenes or people to judge precisions and modes on.")
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Take the model that comes with this package through every step on this machine's CPU.

    Exports it unmerged and in merge modes, builds each for the fastest runtime and precision here, compares it with
    the plain export (accuracy, agreement with PyTorch, latency in turns), and writes a report with a picture.

    Example: segpp-deploy demo --out demo-report
    """
    from segpp_deploy.workflows.demo.run import run_demo

    options = DemoOptions(out, images, task=parse_choice(TaskName, task, "task"))
    output = Output(json, quiet)
    with output.progress() as progress:
        result = run_demo(options, progress)
    output.show(result)
