"""`KIND:PATH` to data set: a line here is the kind, `open_KIND` in the module of that name opens it."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from segpp_deploy import commands
from segpp_deploy.data.datasets.base import AnyDataset, DatasetSpec
from segpp_deploy.errors import SegppError, unknown_name_error

_KINDS = (
    "ade20k",
    "camvid",
    "cityscapes",
    "folder",
    "scenes",
)

Opener = Callable[[DatasetSpec], AnyDataset]


def _find_opener(kind: str) -> Opener:
    opener: Opener = getattr(importlib.import_module(f"segpp_deploy.data.datasets.{kind}"), f"open_{kind}")
    return opener


OPENER_OF_KIND: dict[str, Opener] = {kind: _find_opener(kind) for kind in _KINDS}


def parse_dataset(text: str, limit: int | None = None) -> AnyDataset:
    """Open the data set that `KIND:PATH`, `KIND:PATH#SPLIT` or `scenes[:N]` names.

    Args:
        text: as on the command line, e.g. "camvid:data/camvid#train".
        limit: keep the first so many samples.

    Raises:
        SegppError: unknown kind, missing or empty directory, pictures and labels that do not match, limit below 1.

    Example:
        >>> len(parse_dataset("scenes:7", limit=3))
        3
    """
    if limit is not None and limit < 1:
        raise SegppError(f"--limit {limit} leaves no sample.", "a number of at least 1.", commands.option("limit", 10))
    kind, _, rest = text.partition(":")
    opener = OPENER_OF_KIND.get(kind)
    if opener is None:
        raise unknown_name_error("data set kind", kind, OPENER_OF_KIND, commands.option("data", text))
    path, mark, split = rest.rpartition("#")
    spec = DatasetSpec(kind, path, split or None) if mark else DatasetSpec(kind, rest)
    return opener(spec).first(limit)
