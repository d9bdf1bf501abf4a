"""`segpp-deploy validate`."""

from __future__ import annotations

from typing import Annotated

import typer

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import (
    BoxesOption,
    CheckpointOption,
    DataOption,
    EngineArgument,
    InferenceOption,
    JsonFlag,
    LimitOption,
    QuietFlag,
    parse_inference,
)
from segpp_deploy.config import MAX_FAILURES


def validate(
    engine: EngineArgument,
    data: DataOption,
    limit: LimitOption = None,
    inference: InferenceOption = "whole",
    boxes: BoxesOption = None,
    against: Annotated[
        str, typer.Option(metavar="torch|none|ENGINE", help="What to compare with, on the same images.")
    ] = "torch",
    checkpoint: CheckpointOption = None,
    max_failures: Annotated[
        int, typer.Option("--max-failures", metavar="N", help="Go on without at most N pictures that cannot be read.")
    ] = MAX_FAILURES,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Measure an engine's accuracy, and how closely it follows the fp32 PyTorch model of the same mode.

    Example: segpp-deploy validate fast.engine --data camvid:data/camvid --limit 20
    """
    from segpp_deploy.workflows.validate import ValidateOptions, parse_against, run_validate

    options = ValidateOptions(
        engine=engine,
        data=data,
        limit=limit,
        boxes=boxes,
        inference=parse_inference(inference),
        against=parse_against(against),
        checkpoint=checkpoint,
        max_failures=max_failures,
    )
    output = Output(json, quiet)
    with output.progress() as progress:
        result = run_validate(options, progress)
    output.show(result)
    result.require_complete()
