"""`KIND:PATH` to data set: a line here is the kind, `open_KIND` in the module of that name (with _ for -) opens it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from segpp_deploy import commands
from segpp_deploy.data.datasets.base import AnyDataset, AnySample, DatasetSpec
from segpp_deploy.data.datasets.label_options import AS_STORED, parse_label_options
from segpp_deploy.data.datasets.labels import IGNORE_INDEX, LabelFile
from segpp_deploy.errors import SegppError, unknown_name_error

KINDS = (
    "ade20k",
    "camvid",
    "cityscapes",
    "coco-pose",
    "folder",
    "jbd",
    "people",
    "scenes",
)
WITH_BOXES = ("coco-pose", "jbd")
"""Kinds whose persons a detector may have found."""


def parse_dataset(
    text: str, limit: int | None = None, *, needs_labels: bool = True, boxes: Path | None = None
) -> AnyDataset:
    """Open the data set that `KIND:PATH`, `KIND:PATH#SPLIT?OPTION&OPTION`, `scenes[:N]` or `people[:N]` names.

    Args:
        text: as on the command line, e.g. "camvid:data/camvid#train"; `label_options` says which options there are.
        limit: keep the first so many samples.
        needs_labels: pictures without labels are an error; else they are samples without a target.
        boxes: a detector's boxes, for kinds of persons; None for the annotated ones.

    Raises:
        SegppError: unknown kind or option, missing or empty directory, pictures and labels that do not match, limit
            below 1, boxes for a kind that has none.

    Example:
        >>> len(parse_dataset("scenes:7", limit=3))
        3
    """
    if limit is not None and limit < 1:
        raise SegppError(f"--limit {limit} leaves no sample.", "a number of at least 1.", commands.option("limit", 10))
    spec = replace(parse_spec(text), needs_labels=needs_labels, boxes=boxes)
    if boxes is not None and spec.kind not in WITH_BOXES:
        raise SegppError(
            f"{spec.name} takes no boxes from {boxes}.",
            f"a data set of persons in annotation files: {', '.join(WITH_BOXES)}.",
            "Leave " + commands.option("boxes") + " out.",
        )
    return _open(spec).first(limit)


def parse_spec(text: str) -> DatasetSpec:
    """Take `KIND:PATH#SPLIT?OPTIONS` apart; a PATH that exists wins, whatever marks it holds.

    Raises:
        SegppError: unknown kind or option.

    Example:
        >>> spec = parse_spec("folder:my/data#val?reduce")
        >>> spec.path, spec.split, str(spec.options)
        ('my/data', 'val', 'reduce')
    """
    kind, mark, rest = text.partition(":")
    if not mark:
        kind = kind.partition("?")[0].partition("#")[0]
        rest = text.removeprefix(kind)
    if kind not in KINDS:
        raise unknown_name_error("data set kind", kind, KINDS, commands.option("data", text))
    readings = sorted(_readings(rest), key=lambda one: (len(one[0]), one[2] is None))
    existing = [one for one in readings if one[0] and Path(one[0]).expanduser().exists()]
    longest = max((len(one[0]) for one in existing), default=len(readings[0][0]))
    path, split, options = next(one for one in existing or readings if len(one[0]) == longest)
    label_options = AS_STORED if options is None else parse_label_options(options, repr(text))
    return DatasetSpec(kind, path, split or None, label_options)


def _readings(rest: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield path, split and options in every way that the marks of `rest` allow."""
    yield rest, "", None
    path, mark, split = rest.rpartition("#")
    if mark:
        yield path, split, None
    path, mark, options = rest.rpartition("?")
    if not mark:
        return
    options, mark, split = options.partition("#")  # the other order says the same
    yield path, split, options
    path, mark_before, split = path.rpartition("#")
    if mark_before and not mark:
        yield path, split, options


def _open(spec: DatasetSpec) -> AnyDataset:
    """Load the module of a kind, and no other's, and open the data set."""
    name = spec.kind.replace("-", "_")
    module = importlib.import_module(f"segpp_deploy.data.datasets.{name}")
    dataset: AnyDataset = getattr(module, f"open_{name}")(spec)
    if dataset.spec is None:
        dataset = replace(dataset, spec=spec)
    if spec.options == AS_STORED:
        return dataset
    return replace(dataset, samples=tuple(_with_options(sample, spec) for sample in dataset.samples))


def _with_options(sample: AnySample, spec: DatasetSpec) -> AnySample:
    target = sample.target
    if target is None:
        return sample
    if not isinstance(target, LabelFile) or target.is_drawn:
        raise SegppError(
            f"{spec.name}: {spec.kind} has no label files, so that there is nothing to be read by {spec.options}.",
            "no options.",
            f"Leave ?{spec.options} out.",
        )
    if spec.options.reduce and target.table is not None and target.table[0] == IGNORE_INDEX:
        raise SegppError(
            f"{spec.name}: labels of the {spec.kind} layout are read with 0 as not labelled as it is.",
            "no option 'reduce'.",
            "Leave 'reduce' out.",
        )
    return replace(sample, target=replace(target, options=spec.options))
