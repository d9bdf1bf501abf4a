"""`segpp-deploy inspect`."""

from __future__ import annotations

from typing import Annotated

import typer

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import JsonFlag, QuietFlag
from segpp_deploy.config import parse_size


def inspect(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="An .onnx file, an engine, a checkpoint, a plan or a model card.")
    ],
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="The image size for which a plan's tokens are counted.")
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Say what a file is, and whether it runs here.

    Example: segpp-deploy inspect fast.engine
    """
    from segpp_deploy.workflows.inspect.run import run_inspect

    result = run_inspect(file, parse_size(size) if size else None)
    Output(json, quiet).show(result)
