"""Engines of one model for several input sizes: whether they belong together, and which one suits a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

from segpp_deploy import commands
from segpp_deploy.config import Size
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.metadata import ExportMetadata

_ALIKE = math.log(1.02)
"""Shapes that differ by less (an export's size is rounded to whole patches) are told apart by their areas."""


def nearest_size(sizes: Sequence[Size], picture: Size) -> int:
    """Return the index of the size in which a picture is distorted least; of sizes alike, of the nearest area.

    Example:
        >>> nearest_size([Size(512, 1024), Size(1024, 512)], Size(1280, 720))
        1
        >>> nearest_size([Size(512, 1024), Size(256, 512)], Size(300, 600))
        1
    """
    distortions = [abs(math.log(_aspect(size) / _aspect(picture))) for size in sizes]
    alike = [index for index, value in enumerate(distortions) if value <= min(distortions) + _ALIKE]
    return min(alike, key=lambda index: abs(math.log(_area(sizes[index]) / _area(picture))))


def require_one_model(engines: Sequence[ExportMetadata]) -> None:
    """Check that engines differ in their input sizes, and in nothing that decides what they predict.

    Raises:
        SegppError: they are of other weights, another mode or contract, or two have one size.
    """
    first = engines[0]
    for number, other in enumerate(engines[1:], 1):
        unlike = [name for name, value in _identity(first).items() if _identity(other)[name] != value]
        if unlike:
            raise SegppError(
                f"Engines of several sizes differ in {' and '.join(unlike)}: "
                + ", ".join(f"{_identity(first)[name]} and {_identity(other)[name]}" for name in unlike)
                + ".",
                "one model and mode, exported at several sizes.",
                f"Export {first.checkpoint} at the other size as well: "
                + commands.option("mode", first.mode)
                + " "
                + commands.option("size", other.size),
            )
        if other.size in [engine.size for engine in engines[:number]]:
            raise SegppError(
                f"Two engines take {other.size}.",
                "engines of different input sizes.",
                "Leave one out.",
            )


def _identity(metadata: ExportMetadata) -> dict[str, str]:
    return {
        "task": str(metadata.task),
        "weights": metadata.checkpoint_sha256[:12] or f"seed {metadata.seed}",
        "mode": metadata.mode,
        "output": str(metadata.output_kind),
        "classes": str(len(metadata.classes)),
    }


def _aspect(size: Size) -> float:
    return size.width / size.height


def _area(size: Size) -> int:
    return size.width * size.height
