"""`segpp-deploy doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import JsonFlag, QuietFlag


def doctor(
    measure: Annotated[
        bool, typer.Option("--measure", help="Time the CPU's targets and precisions on the shipped model.")
    ] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Say which runtimes work on this machine, what to install for the others, and what could be faster.

    The exit code is 1 if none works.

    Example: segpp-deploy doctor
    """
    from segpp_deploy.workflows.doctor.run import run_doctor

    output = Output(json, quiet)
    with output.progress() as progress:
        result = run_doctor(measure, progress)
    output.show(result)
    if not result.works:
        raise typer.Exit(1)
