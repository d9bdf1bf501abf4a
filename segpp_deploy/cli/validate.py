"""`segpp-deploy validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import (
    AlsoOption,
    BoxesOption,
    CheckpointOption,
    DataOption,
    EngineArgument,
    InferenceOption,
    JsonFlag,
    LimitOption,
    QuietFlag,
    RayOption,
    parse_inference,
)
from segpp_deploy.config import MAX_FAILURES, TorchDevice, parse_choice


def validate(
    engine: EngineArgument,
    data: DataOption,
    limit: LimitOption = None,
    inference: InferenceOption = "whole",
    also: AlsoOption = None,
    boxes: BoxesOption = None,
    against: Annotated[
        str, typer.Option(metavar="torch|none|ENGINE", help="What to compare with, on the same images.")
    ] = "torch",
    checkpoint: CheckpointOption = None,
    device: Annotated[
        str, typer.Option("--device", metavar="|".join(TorchDevice), help="Where the PyTorch model computes.")
    ] = "cpu",
    max_failures: Annotated[
        int, typer.Option("--max-failures", metavar="N", help="Go on without at most N pictures that cannot be read.")
    ] = MAX_FAILURES,
    per_image: Annotated[
        Path | None, typer.Option("--per-image", metavar="FILE", help="Write the scores of each sample (JSON lines).")
    ] = None,
    worst: Annotated[
        int, typer.Option("--worst", metavar="N", help="Draw the N samples with the lowest scores, beside --per-image.")
    ] = 0,
    confusion: Annotated[
        Path | None, typer.Option("--confusion", metavar="FILE", help="Write what was taken for what (CSV).")
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="DIR", help="Write predicted label maps, in the values of the data set's."),
    ] = None,
    boundary: Annotated[
        int, typer.Option("--boundary", metavar="PX", help="Tell the IoU of what lies so near to edges of regions too.")
    ] = 0,
    layers: Annotated[
        int, typer.Option("--layers", metavar="N", help="Compare every tensor with PyTorch's, on N samples.")
    ] = 0,
    ray: RayOption = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Measure an engine's accuracy, and how closely it follows the fp32 PyTorch model of the same mode.

    Example: segpp-deploy validate fast.engine --data camvid:data/camvid --limit 20
    """
    from segpp_deploy.workflows.validate.options import RecordOptions, ValidateOptions, parse_against
    from segpp_deploy.workflows.validate.run import run_validate

    options = ValidateOptions(
        engine=engine,
        data=data,
        limit=limit,
        boxes=boxes,
        inference=parse_inference(inference),
        also=tuple(also or ()),
        against=parse_against(against),
        checkpoint=checkpoint,
        max_failures=max_failures,
        boundary_px=boundary,
        records=RecordOptions(per_image, worst, confusion, labels),
        layers=layers,
        ray=ray,
        device=parse_choice(TorchDevice, device, "device"),
    )
    output = Output(json, quiet)
    with output.progress() as progress:
        result = run_validate(options, progress)
    output.show(result)
    result.require_complete()
