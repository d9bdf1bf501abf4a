"""`segpp-deploy calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import JsonFlag, QuietFlag, ThreadsOption, names
from segpp_deploy.config import CalibrationMethod, parse_choice
from segpp_deploy.tuning.calibration.options import CALIBRATION_IMAGES, CALIBRATION_METHOD, CalibrationOptions


def calibrate(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="A float32 file written by export.")],
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="DIR|DATASET",
            help="Pictures like those the engine will see: a directory, or KIND:PATH#SPLIT; labels are optional.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="RANGES.yaml", help="The file to write.")],
    images: Annotated[
        int, typer.Option("--images", metavar="N", help="Use N images, spread evenly.")
    ] = CALIBRATION_IMAGES,
    method: Annotated[
        str, typer.Option(metavar=names(CalibrationMethod), help="How values that are too large are clipped.")
    ] = str(CALIBRATION_METHOD),
    threads: ThreadsOption = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Find the range of every tensor that INT8 needs, on the CPU; the same file serves both lowerings.

    Example: segpp-deploy calibrate fast.onnx --data camvid:data/camvid#train -o fast.ranges.yaml
    """
    from segpp_deploy.workflows.calibrate import run_calibrate

    options = CalibrationOptions(
        data=data,
        images=images,
        method=parse_choice(CalibrationMethod, method, "calibration method"),
        threads=threads,
    )
    output = Output(json, quiet)
    with output.progress() as progress:
        result = run_calibrate(model, out, options, progress)
    output.show(result)
