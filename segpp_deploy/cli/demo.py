"""`segpp-deploy demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import JsonFlag, QuietFlag
from segpp_deploy.workflows.demo.options import IMAGES, DemoOptions


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where the report goes.")] = Path(
        "demo-report"
    ),
    images: Annotated[
        int, typer.Option(metavar="N", min=1, help="Held-out scenes to judge precisions and modes on.")
    ] = IMAGES,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Take the model that comes with this package through every step on this machine's CPU.

    Exports it unmerged and in merge modes, builds each for the fastest runtime and precision here, compares it with
    the plain export (accuracy, agreement with PyTorch, latency in turns), and writes a report with a picture.

    Example: segpp-deploy demo --out demo-report
    """
    from segpp_deploy.workflows.demo.run import run_demo

    output = Output(json, quiet)
    with output.progress() as progress:
        result = run_demo(DemoOptions(out, images), progress)
    output.show(result)
