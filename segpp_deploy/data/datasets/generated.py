"""`KIND[:N][#train]`: how many generated samples, and from which seed on."""

from __future__ import annotations

from dataclasses import dataclass

from segpp_deploy import commands
from segpp_deploy.data.datasets.base import DatasetSpec
from segpp_deploy.data.scenes import HELD_OUT_SEED
from segpp_deploy.errors import SegppError

TRAIN_SPLIT = "train"


@dataclass(frozen=True)
class GeneratedPart:
    """What was asked of a generator.

    Args:
        name: as the user would write it.
        count: how many samples.
        first_seed: of the first; held out from training, or the first that was trained on.
    """

    name: str
    count: int
    first_seed: int


def parse_part(spec: DatasetSpec, default_count: int) -> GeneratedPart:
    """Return how many samples are meant, `default_count` where no N is given; held-out ones without a split.

    Raises:
        SegppError: N is not a positive whole number, or another split than `train` is named.
    """
    kind = spec.kind
    count = int(spec.path) if spec.path.isdecimal() else 0 if spec.path else default_count
    if count < 1 or spec.split not in (None, TRAIN_SPLIT):
        text = spec.path + (f"#{spec.split}" if spec.split is not None else "")
        raise SegppError(
            f"'{kind}:{text}' is not a number of {kind}.",
            f"{kind} or {kind}:N with N at least 1, and no split but #train.",
            commands.option("data", f"{kind}:{default_count}"),
        )
    if spec.split is None:
        return GeneratedPart(f"{kind}:{count}", count, HELD_OUT_SEED)
    return GeneratedPart(f"{kind}:{count}#{TRAIN_SPLIT}", count, 0)
