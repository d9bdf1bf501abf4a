"""`segpp-deploy selftest`."""

from __future__ import annotations

from typing import Annotated

import typer

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import JsonFlag, QuietFlag


def selftest(
    host: Annotated[
        bool, typer.Option("--host", help="Run the kernels' code on the CPU instead, from `plugins build --host`.")
    ] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Compare every plugin with PyTorch on this GPU, then a small model; exit code 1 if anything differs.

    Example: segpp-deploy selftest
    """
    from segpp_deploy.workflows.selftest.run import SelftestOptions, run_selftest

    output = Output(json, quiet)
    with output.progress() as progress:
        result = run_selftest(SelftestOptions(host), progress)
    output.show(result)
    if not result.passed:
        raise typer.Exit(1)
