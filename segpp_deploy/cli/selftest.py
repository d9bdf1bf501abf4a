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
    kernels: Annotated[
        bool,
        typer.Option(
            "--kernels",
            help="Test and time the kernels alone on the GPU, from `plugins build --kernels`.",
        ),
    ] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Compare every plugin with PyTorch on this GPU, then a small model; exit code 1 if anything differs.

    Example: segpp-deploy selftest
    """
    from segpp_deploy.errors import SegppError
    from segpp_deploy.workflows.selftest.run import SelftestOptions, run_selftest

    if host and kernels:
        raise SegppError("--host takes no --kernels.", "one of them: the CPU or the GPU.", "Leave out one.")
    output = Output(json, quiet)
    with output.progress() as progress:
        result = run_selftest(SelftestOptions(host, kernels), progress)
    output.show(result)
    if not result.passed:
        raise typer.Exit(1)
