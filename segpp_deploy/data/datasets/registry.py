"""`KIND:PATH` to data set."""

from __future__ import annotations

from collections.abc import Callable

from segpp_deploy import commands
from segpp_deploy.data.datasets.ade20k import open_ade20k
from segpp_deploy.data.datasets.base import AnyDataset, DatasetSpec
from segpp_deploy.data.datasets.camvid import open_camvid
from segpp_deploy.data.datasets.cityscapes import open_cityscapes
from segpp_deploy.data.datasets.folder import open_folder
from segpp_deploy.data.datasets.scenes import open_scenes
from segpp_deploy.errors import SegppError, unknown_name_error

OPENER_OF_KIND: dict[str, Callable[[DatasetSpec], AnyDataset]] = {
    "ade20k": open_ade20k,
    "camvid": open_camvid,
    "cityscapes": open_cityscapes,
    "folder": open_folder,
    "scenes": open_scenes,
}


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
