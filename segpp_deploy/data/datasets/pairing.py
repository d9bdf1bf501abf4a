"""Matches picture files with label files and reports what has no partner."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from segpp_deploy.data.datasets.base import Sample
from segpp_deploy.data.datasets.labels import LabelFile, LabelTable
from segpp_deploy.data.images import IMAGE_SUFFIXES, is_image_name, read_image, read_labels
from segpp_deploy.data.label_maps import LabelMap
from segpp_deploy.errors import SegppError

_SHOWN_NAMES = 3


def files_by_key(directory: Path, ending: str = "") -> dict[str, Path]:
    """Return the pictures below `directory` whose stem ends in `ending`, by relative path without that ending.

    Example:
        `leftImg8bit/val/ulm/ulm_0_leftImg8bit.png` with ending `_leftImg8bit` has the key `ulm/ulm_0`.

    Raises:
        SegppError: two files have the same key (a.png beside a.jpg).
    """
    found: dict[str, Path] = {}
    for path in sorted(directory.rglob("*")):
        if not is_image_name(path) or path.name.startswith(".") or not path.stem.endswith(ending):
            continue
        relative = path.relative_to(directory).with_suffix("").as_posix()
        key = relative.removesuffix(ending)
        if key in found:
            raise SegppError(
                f"{found[key].name} and {path.name} in {path.parent} have the same name.",
                "one file per name, whatever the suffix.",
                "Remove or rename one of the two.",
            )
        found[key] = path
    return found


def pair_samples(
    images: Mapping[str, Path], labels: Mapping[str, Path], directory: Path, table: LabelTable | None = None
) -> tuple[Sample[LabelMap], ...]:
    """Return one sample per picture, in the order of `images`.

    Raises:
        SegppError: no picture at all, or pictures and labels that have no partner.
    """
    if not images:
        raise SegppError(
            f"No pictures in {directory}.",
            f"files ending in {', '.join(IMAGE_SUFFIXES)}.",
            "Check that the path is the root of the data set and that it is unpacked.",
        )
    _check_partners(images, labels, directory)
    return tuple(
        Sample(
            key,
            partial(read_image, images[key]),
            LabelFile(str(labels[key]), partial(read_labels, labels[key]), table),
        )
        for key in images
    )


def _check_partners(images: Mapping[str, Path], labels: Mapping[str, Path], directory: Path) -> None:
    without_label = sorted(images.keys() - labels.keys())
    without_image = sorted(labels.keys() - images.keys())
    if not without_label and not without_image:
        return
    parts = []
    if without_label:
        parts.append(f"{len(without_label)} without labels ({_some(without_label)})")
    if without_image:
        parts.append(f"{len(without_image)} labels without a picture ({_some(without_image)})")
    raise SegppError(
        f"{len(images)} pictures in {directory}: {'; '.join(parts)}.",
        "a label map of the same name for every picture, and no others.",
        "Add or remove the files named above.",
    )


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
