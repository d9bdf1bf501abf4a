"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from segpp_deploy.config import Choice, Inference, parse_choice


def names(*choices: type[Choice]) -> str:
    """Return what an option takes, as its help shows it.

    Example:
        >>> names(Inference)
        'whole|slide|flip'
    """
    return "|".join(str(member) for choice in choices for member in choice)


JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
QuietFlag = Annotated[bool, typer.Option("--quiet", "-q", help="Print the result only: no progress, no messages.")]
EngineArgument = Annotated[Path, typer.Argument(metavar="ENGINE", help="A file written by build-engine.")]
DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="DATASET",
        help="KIND:PATH, e.g. camvid:data/camvid, folder:my/frames, or scenes:20 (built-in pictures). KIND:PATH#SPLIT "
        "names a split; KIND:PATH?OPTION says how label files are read: reduce (they count from 1, 0 is not labelled), "
        "foreground=255 (masks of two classes), ignore=V, labels=stored|upright (of pictures turned by EXIF).",
    ),
]
LimitOption = Annotated[int | None, typer.Option("--limit", metavar="N", help="Use only the first N images.")]
CheckpointOption = Annotated[
    Path | None, typer.Option("--checkpoint", metavar="FILE|DIR", help="Weights, where the recorded place has changed.")
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", metavar="N", help="CPU threads; one per physical core if absent.")
]
InferenceOption = Annotated[
    str,
    typer.Option(
        "--inference",
        metavar=names(Inference),
        help="Look at each image or person whole, at overlapping windows, or at a person and the mirror image.",
    ),
]
AlsoOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--also",
        metavar="ENGINE",
        help="The same model at another input size, for pictures of its shape; may be repeated.",
    ),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS|local",
        help="Let workers of a Ray cluster do it: HOST:PORT of its head, auto, or local for one on this machine.",
    ),
]
BoxesOption = Annotated[
    Path | None,
    typer.Option("--boxes", metavar="FILE", help="Boxes of persons (JSON, as COCO's detection results have them)."),
]


def parse_inference(name: str) -> Inference:
    """Return the way of inference called `name`.

    Raises:
        SegppError: there is none.
    """
    return parse_choice(Inference, name, "way of inference")
