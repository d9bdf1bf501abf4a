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
    RayOption,
    names,
    parse_inference,
)
from segpp_deploy.config import parse_choice
from segpp_deploy.data.live_source import Drop, LiveSource, parse_source_name
from segpp_deploy.data.places import parse_place
from segpp_deploy.workflows.predict.options import OUT, LiveOptions, PredictOptions, refuse_options_of_files


def predict(
    engine: EngineArgument,
    source: Annotated[
        str, typer.Argument(metavar="IMAGE|DIR|VIDEO|URL|CAMERA", help="What to look at; a camera is /dev/video0.")
    ],
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="DIR|FILE|URI", help=f"Where to write: a directory ({OUT} if absent), or one file."
        ),
    ] = None,
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
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Note what results are made of, and leave out pictures whose results are there and fit."
        ),
    ] = False,
    ray: RayOption = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 1 for a video of which frames are damaged or missing.")
    ] = False,
    drop: Annotated[
        str, typer.Option(metavar=names(Drop), help="Of a live source: look at the newest frame, or at every one.")
    ] = "latest",
    serve: Annotated[
        str | None, typer.Option(metavar="[HOST]:PORT", help="Of a live source: show the overlay in browsers there.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Of a live source: show the overlay in a window.")] = False,
    seconds: Annotated[
        float | None, typer.Option(metavar="S", help="Of a live source: end after so long; else Ctrl-C ends it.")
    ] = None,
    frames: Annotated[
        int | None, typer.Option(metavar="N", help="Of a live source: end after so many frames were looked at.")
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Predict for an image, all images of a directory, a video, a camera or a stream.

    Pictures of a directory that cannot be read are left out and listed at the end, with exit code 2. Frames of a video
    that cannot be decoded are left out and counted. A camera or a stream is looked at as fast as the engine goes.

    Example: segpp-deploy predict fast.engine street.jpg -o street_overlay.png
    """
    named, output = parse_source_name(source), Output(json, quiet)
    way, others = parse_inference(inference), tuple(also or ())
    if isinstance(named, LiveSource):
        refuse_options_of_files(
            labels_png=labels_png,
            keypoints=keypoints,
            boxes=boxes,
            fail_fast=fail_fast,
            strict=strict,
            resume=resume,
            ray=ray,
        )
        how = parse_choice(Drop, drop, "way to drop frames")
        recording = None if out is None else Path(out)
        live = LiveOptions(engine, named, recording, how, serve, show, seconds, frames, way, others)
        _look_at(live, output)
        return
    options = PredictOptions(
        engine=engine,
        source=named,
        out=OUT if out is None else parse_place(out),
        overlay=overlay or not (labels_png or keypoints),
        labels_png=labels_png,
        keypoints=keypoints,
        boxes=boxes,
        inference=way,
        also=others,
        fail_fast=fail_fast,
        resume=resume,
        ray=ray,
    )
    from segpp_deploy.workflows.predict.run import run_predict

    with output.progress() as progress:
        result = run_predict(options, progress)
    output.show(result)
    result.require_complete(strict)


def _look_at(options: LiveOptions, output: Output) -> None:
    from segpp_deploy.workflows.predict.live import run_live

    with output.progress() as progress:
        result = run_live(options, progress)
    output.show(result)
