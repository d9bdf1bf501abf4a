"""`segpp-deploy tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segpp_deploy.cli.console import Output
from segpp_deploy.cli.options import JsonFlag, QuietFlag, ThreadsOption, names
from segpp_deploy.config import ChannelOrder, Precision, parse_choice, parse_size
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.search.options import parse_goal
from segpp_deploy.workflows.export.options import parse_model, parse_stated
from segpp_deploy.workflows.tune.options import IMAGES, MINUTES, OUT, TuneOptions


def tune(
    model: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT", help="Weights (.pth, .pt, .safetensors), a Hugging Face folder, or a model card."
        ),
    ],
    data: Annotated[
        str,
        typer.Option(metavar="DATASET|DIR", help="Pictures to judge candidates on, best with labels; see `validate`."),
    ],
    loss: Annotated[
        float | None,
        typer.Option(metavar="POINTS", help="Find the fastest that loses at most so many points, such as of mIoU."),
    ] = None,
    latency_ms: Annotated[
        float | None, typer.Option(metavar="MS", help="Find the most accurate that takes at most so long a call.")
    ] = None,
    confirm: Annotated[
        str | None,
        typer.Option(metavar="DATASET|DIR", help="Held-out pictures for the choice; every third of --data if absent."),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Where the search's state and its result go.")
    ] = OUT,
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="Input size in pixels; the card's or checkpoint's if absent.")
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(metavar=names(TargetName), help="A runtime to choose from; again for more. All that work here."),
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option(metavar=names(Precision), help="A number format to choose from; likewise."),
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A GPU that is not here: ranked by the cost model, nothing is measured."),
    ] = None,
    images: Annotated[
        int | None, typer.Option(metavar="N", help=f"Judge on so many pictures; {IMAGES}, or what there is time for.")
    ] = None,
    minutes: Annotated[float, typer.Option(metavar="N", help="How long everything may take.")] = MINUTES,
    trials: Annotated[int | None, typer.Option(metavar="N", help="Search no further after so many candidates.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the plans that are tried.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the search in the directory.")] = False,
    weights: Annotated[
        str | None, typer.Option(metavar="ema|plain|NAME", help="Which of a checkpoint's weights; see `export`.")
    ] = None,
    mean: Annotated[str | None, typer.Option(metavar="R,G,B", help="Mean of the training; see `export`.")] = None,
    std: Annotated[str | None, typer.Option(metavar="R,G,B", help="Deviation, likewise.")] = None,
    channel_order: Annotated[str | None, typer.Option(metavar=names(ChannelOrder), help="Likewise.")] = None,
    threshold: Annotated[float | None, typer.Option(metavar="P", help="Of a model with one output; likewise.")] = None,
    threads: ThreadsOption = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Search for the merge plan, input size, target and precision that suit a model, its data and this machine.

    Ctrl-C ends the search and keeps what is known; --resume goes on with it.

    Example: segpp-deploy tune weights.pth --data camvid:data/camvid#train --confirm camvid:data/camvid#val --loss 0.2
    """
    order = parse_choice(ChannelOrder, channel_order, "channel order") if channel_order else None
    options = TuneOptions(
        source=parse_model(model, weights, parse_stated(mean, std, order, threshold=threshold)),
        data=data,
        goal=parse_goal(loss, latency_ms),
        out=out,
        confirm=confirm,
        images=images,
        size=parse_size(size) if size else None,
        targets=tuple(parse_choice(TargetName, name, "target") for name in target or ()),
        precisions=tuple(parse_choice(Precision, name, "precision") for name in precision or ()),
        gpu=gpu,
        minutes=minutes,
        trials=trials,
        seed=seed,
        threads=threads,
        resume=resume,
    )
    output = Output(json, quiet)
    from segpp_deploy.workflows.tune.run import run_tune

    with output.progress() as progress:
        result = run_tune(options, progress, output.note)
    output.show(result)
    result.require_reached()
