"""`KIND:PATH` to data set: a line here is the kind, `open_KIND` in the module of that name opens it."""

from __future__ import annotations

import importlib

from segpp_deploy import commands
from segpp_deploy.data.datasets.base import AnyDataset, DatasetSpec
from segpp_deploy.errors import SegppError, unknown_name_error

KINDS = (
    "ade20k",
    "camvid",
    "cityscapes",
    "folder",
    "scenes",
)


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
    if kind not in KINDS:
        raise unknown_name_error("data set kind", kind, KINDS, commands.option("data", text))
    path, mark, split = rest.rpartition("#")
    spec = DatasetSpec(kind, path, split or None) if mark else DatasetSpec(kind, rest)
    return _open(spec).first(limit)


def _open(spec: DatasetSpec) -> AnyDataset:
    """Load the module of a kind, and no other's, and open the data set."""
    module = importlib.import_module(f"segpp_deploy.data.datasets.{spec.kind}")
    dataset: AnyDataset = getattr(module, f"open_{spec.kind}")(spec)
    return dataset
