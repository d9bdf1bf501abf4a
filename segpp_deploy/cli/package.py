"""`segpp-deploy package`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import JsonFlag, QuietFlag, names
from segpp_deploy.config import parse_choice
from segpp_deploy.packaging.stacks import Stack


def package(
    engines: Annotated[list[Path], typer.Argument(metavar="ENGINE...", help="Files written by build-engine.")],
    stack: Annotated[str, typer.Option("--for", metavar=names(Stack), help="What will run them.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="A new directory.")],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What the model is called; by its file if absent.")
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Put engines into the files that a serving stack, a robot or a pipeline runs.

    Example: segpp-deploy package fast.engine --for triton -o served
    """
    from segpp_deploy.workflows.package.options import PackageOptions
    from segpp_deploy.workflows.package.run import run_package

    options = PackageOptions(tuple(engines), parse_choice(Stack, stack, "stack"), out, name)
    Output(json, quiet).show(run_package(options))
