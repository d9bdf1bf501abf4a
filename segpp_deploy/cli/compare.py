"""`segpp-deploy compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import DataOption, JsonFlag, LimitOption, QuietFlag, ThreadsOption
from segpp_deploy.config import ChannelOrder, Precision, Preset, parse_choice, parse_size
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.calibration.options import parse_calibration
from segpp_deploy.workflows.compare.options import (
    ITERATIONS,
    MODES,
    OUT,
    CompareOptions,
    parse_filters,
    parse_list,
)
from segpp_deploy.workflows.export.options import parse_model, parse_stated


def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...", help="Weights (.pth, .pt, .safetensors), Hugging Face folders, or model cards."
        ),
    ],
    data: DataOption,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Where the report and the journal of findings go.")
    ] = OUT,
    modes: Annotated[str, typer.Option(metavar="MODE[,...]", help="Presets and plan files.")] = ",".join(MODES),
    sizes: Annotated[
        str | None, typer.Option(metavar="HxW[,...]", help="Input sizes in pixels; the model's if absent.")
    ] = None,
    targets: Annotated[
        str | None, typer.Option(metavar="TARGET[,...]", help="Runtimes; all that work here if absent.")
    ] = None,
    precisions: Annotated[
        str | None,
        typer.Option(metavar="PRECISION[,...]", help="Number formats; all that the targets compute in here if absent."),
    ] = None,
    baseline: Annotated[
        str,
        typer.Option(metavar="MODE|plain", help="What speed-ups are over, in fp32; plain: an ordinary ONNX export."),
    ] = str(Preset.ORIGINAL),
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AXIS=VALUE[,...]", help="Only such rows, e.g. mode=fast,target=cpu; again for more of them."
        ),
    ] = None,
    skip: Annotated[list[str] | None, typer.Option(metavar="AXIS=VALUE[,...]", help="All but such rows.")] = None,
    limit: LimitOption = None,
    iterations: Annotated[int, typer.Option(metavar="N", help="Timed calls of each engine.")] = ITERATIONS,
    calibration: Annotated[
        str | None, typer.Option(metavar="RANGES.yaml|DATASET|DIR", help="int8: ranges, or pictures to find them on.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="ema|plain|NAME", help="Which of a checkpoint's weights; see `export`.")
    ] = None,
    mean: Annotated[str | None, typer.Option(metavar="R,G,B", help="Mean of the training; see `export`.")] = None,
    std: Annotated[str | None, typer.Option(metavar="R,G,B", help="Deviation, likewise.")] = None,
    channel_order: Annotated[str | None, typer.Option(metavar="rgb|bgr", help="Likewise.")] = None,
    threshold: Annotated[float | None, typer.Option(metavar="P", help="Of a model with one output; likewise.")] = None,
    threads: ThreadsOption = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure anew what the journal knows.")] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Compare merge modes on this machine: accuracy, latency and memory of each, in a table and on a page.

    The same command, after Ctrl-C or a crash, goes on where it was.

    Example: segpp-deploy compare weights.pth --data camvid:data/camvid --targets cpu,openvino --precisions fp32,bf16
    """
    order = parse_choice(ChannelOrder, channel_order, "channel order") if channel_order else None
    stated = parse_stated(mean, std, order, threshold=threshold)
    options = CompareOptions(
        sources=tuple(parse_model(model, weights, stated) for model in models),
        data=data,
        out=out,
        modes=parse_list(modes),
        sizes=tuple(map(parse_size, parse_list(sizes))),
        targets=tuple(parse_choice(TargetName, name, "target") for name in parse_list(targets)),
        precisions=tuple(parse_choice(Precision, name, "precision") for name in parse_list(precisions)),
        baseline=baseline,
        only=parse_filters(only),
        skip=parse_filters(skip),
        limit=limit,
        iterations=iterations,
        calibration=parse_calibration(calibration, threads) if calibration else None,
        threads=threads,
        fresh=fresh,
    )
    output = Output(json, quiet)
    from segpp_deploy.workflows.compare.run import run_compare

    with output.progress() as progress:
        result = run_compare(options, progress, output.note)
    output.show(result)
    result.require_complete()
