"""`segpp-deploy predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import (
    AlsoOption,
    BoxesOption,
    EngineArgument,
    InferenceOption,
    JsonFlag,
    QuietFlag,
    parse_inference,
)


def predict(
    engine: EngineArgument,
    source: Annotated[Path, typer.Argument(metavar="IMAGE|DIR|VIDEO", help="What to look at.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Where to write: a directory, or a file for one image or video.")
    ] = Path("predictions"),
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Write what was found, drawn over the picture (default).")
    ] = False,
    labels_png: Annotated[bool, typer.Option("--labels-png", help="Write the class index of every pixel.")] = False,
    keypoints: Annotated[
        bool, typer.Option("--keypoints", help="Write what a pose model found as COCO results (JSON).")
    ] = False,
    boxes: BoxesOption = None,
    inference: InferenceOption = "whole",
    also: AlsoOption = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="End at the first picture of a directory that cannot be read.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 1 for a video of which frames are damaged or missing.")
    ] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Predict for an image, all images of a directory, or a video.

    Pictures of a directory that cannot be read are left out and listed at the end, with exit code 2. Frames of a video
    that cannot be decoded are left out and counted.

    Example: segpp-deploy predict fast.engine street.jpg -o street_overlay.png
    """
    from segpp_deploy.workflows.predict.options import PredictOptions
    from segpp_deploy.workflows.predict.run import run_predict

    options = PredictOptions(
        engine=engine,
        source=source,
        out=out,
        overlay=overlay or not (labels_png or keypoints),
        labels_png=labels_png,
        keypoints=keypoints,
        boxes=boxes,
        inference=parse_inference(inference),
        also=tuple(also or ()),
        fail_fast=fail_fast,
    )
    output = Output(json, quiet)
    with output.progress() as progress:
        result = run_predict(options, progress)
    output.show(result)
    result.require_complete(strict)
