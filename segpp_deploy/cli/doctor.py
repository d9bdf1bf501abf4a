"""`segpp-deploy doctor`."""

from __future__ import annotations

import typer

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import JsonFlag, QuietFlag


def doctor(json: JsonFlag = False, quiet: QuietFlag = False) -> None:
    """Say which runtimes work on this machine, and what to install for the others; exit code 1 if none does.

    Example: segpp-deploy doctor
    """
    from segpp_deploy.workflows.doctor.run import run_doctor

    result = run_doctor()
    Output(json, quiet).show(result)
    if not result.works:
        raise typer.Exit(1)
