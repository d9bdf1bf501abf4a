"""Looks at the label values of a data set before anything is predicted: do they fit the model's classes?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segpp_deploy.data.datasets.base import AnyDataset
from segpp_deploy.data.datasets.label_options import DrawnOn
from segpp_deploy.data.datasets.labels import LabelFile, expected_values
from segpp_deploy.data.datasets.seen_labels import SeenLabels
from segpp_deploy.errors import SegppError, some_names

SURVEYED = 32
"""So many label maps are looked at, spread over the data set; all where there are fewer."""

_SHOWN_FILES = 1
_FEW_CLASSES = 2
_MOST = 0.5  # of the pixels


@dataclass(frozen=True)
class LabelSurvey:
    """What label values give reason to say, each with its likely cause and what mends it.

    Args:
        warnings: whatever the scores are.
        if_poor: only where the scores are near chance; good ones refute it.
    """

    warnings: tuple[str, ...] = ()
    if_poor: tuple[str, ...] = ()


def survey_labels(dataset: AnyDataset, num_classes: int, *, trained_reduced: bool = False) -> LabelSurvey:
    """Look at a spread of a data set's label files.

    Args:
        dataset: what is going to be scored; nothing is looked at where its targets are no label files.
        num_classes: of the model.
        trained_reduced: the model is known to have been trained with `reduce_zero_label` or `do_reduce_labels`.

    Raises:
        SegppError: values that are no class, masks of 0 and 255, or no label of a class in any file; with the likely
            cause and what mends it.
    """
    seen = SeenLabels(num_classes)
    shown = _label_files(dataset.spread(SURVEYED))
    for file in shown.values():
        seen.add(file)
    if seen.unknown:
        raise _not_classes(dataset, seen, trained_reduced)
    if seen.files and not seen.classes:
        _look_on(dataset, seen, shown)
    if _is_mask(seen):
        raise _mask(dataset, seen)
    warnings = (_doubt_ignored(dataset, seen), _doubt_turned(dataset))
    doubts = (_doubt_zero(dataset, seen),) if trained_reduced else ()
    return LabelSurvey(tuple(filter(None, warnings)), tuple(filter(None, doubts)))


def _label_files(dataset: AnyDataset) -> dict[str, LabelFile]:
    """Return the label files by the names of their samples."""
    targets = ((sample.name, sample.target) for sample in dataset)
    return {name: target for name, target in targets if isinstance(target, LabelFile) and not target.is_drawn}


def _look_on(dataset: AnyDataset, seen: SeenLabels, shown: Mapping[str, LabelFile]) -> None:
    """Look at the other files until one names a class; refuse the data set where none does."""
    for name, file in _label_files(dataset).items():
        if name not in shown:
            seen.add(file)
        if seen.classes:
            return
    raise _nothing_labelled(dataset, seen)


def _not_classes(dataset: AnyDataset, seen: SeenLabels, trained_reduced: bool) -> SegppError:
    values = some_names(
        f"{value} (in {len(sources)} of {seen.files}: {some_names(sources, _SHOWN_FILES)})"
        for value, sources in sorted(seen.unknown.items())
    )
    cause, fix = "", _other_classes(seen)
    if seen.is_own_numbering:
        cause, fix = _explain_values(dataset, seen, trained_reduced)
    return SegppError(
        f"Label maps of {dataset.name} hold values that are none of the {seen.num_classes} classes: {values}."
        + (f" Likely cause: {cause}." if cause else ""),
        expected_values(seen.table, seen.ignored),
        fix,
    )


def _explain_values(dataset: AnyDataset, seen: SeenLabels, trained_reduced: bool) -> tuple[str, str]:
    """Return the likely cause of values that are no class, and what mends it."""
    if seen.num_classes == 2 and 1 not in seen.pixels:
        return _explain_mask(dataset, seen)
    (value, *others), first_beyond = sorted(seen.unknown), seen.num_classes
    if others:
        return "labels of other classes, or ids of instances", _other_classes(seen)
    ignored = f"If {value} means not labelled: {dataset.advise(ignore=frozenset({value}))}"
    if value != first_beyond:
        return f"labels of other classes, or {value} means not labelled", f"{_other_classes(seen)} {ignored}"
    reduced = dataset.advise(reduce=True)
    if trained_reduced:
        return "they count from 1 and 0 means not labelled, as in the model's training", reduced
    if 0 not in seen.pixels:
        return "they count from 1", reduced
    return (
        f"they count from 1 and 0 means not labelled, or {value} means not labelled",
        f"If they count from 1: {reduced} {ignored}",
    )


def _explain_mask(dataset: AnyDataset, seen: SeenLabels) -> tuple[str, str]:
    """Explain values of two classes of which none is 1."""
    value, *others = sorted(seen.unknown)
    is_second = dataset.advise(foreground=value)
    if seen.ignored not in seen.pixels and not others:
        return f"masks, in which {value} is the second class", is_second
    white = f"masks of 0 and {seen.ignored}"
    if others:
        return (
            f"{white} with soft edges",
            f"Threshold them to 0 and {seen.ignored}. {dataset.advise(foreground=seen.ignored)}",
        )
    whole = dataset.advise(foreground=seen.ignored, ignore=frozenset({value}))
    return (
        f"{white} in which {value} means unsure, or masks in which {value} is the second class",
        f"If {seen.ignored} is the second class: {whole} If {value} is: {is_second}",
    )


def _other_classes(seen: SeenLabels) -> str:
    return f"Choose label files, or a model, with the same {seen.num_classes} classes."


def _nothing_labelled(dataset: AnyDataset, seen: SeenLabels) -> SegppError:
    values = some_names(map(str, sorted(seen.pixels)))
    all_white = set(seen.pixels) == {seen.ignored} and seen.is_own_numbering and seen.num_classes == 2
    return SegppError(
        f"Nothing in {dataset.name} has a label of a class: its label maps ({seen.files}) hold {values} alone, which "
        "does not count. Likely cause: blank label maps, as those of test splits that are not public.",
        "pictures whose labels name classes of the model.",
        dataset.advise(foreground=seen.ignored) if all_white else "Choose another split, or other pictures.",
    )


def _is_mask(seen: SeenLabels) -> bool:
    return seen.is_own_numbering and seen.num_classes == 2 and set(seen.pixels) == {0, seen.ignored}


def _mask(dataset: AnyDataset, seen: SeenLabels) -> SegppError:
    return SegppError(
        f"Label maps of {dataset.name} hold 0 and {seen.ignored} alone, and {seen.ignored} "
        f"({100 * seen.share_ignored():.0f} % of the pixels) does not count: class 1 never occurs. "
        f"Likely cause: masks, in which {seen.ignored} is the second class.",
        expected_values(seen.table, seen.ignored),
        f"{dataset.advise(foreground=seen.ignored)} If {seen.ignored} does mean not labelled, say so with "
        f"ignore={seen.ignored}.",
    )


def _doubt_ignored(dataset: AnyDataset, seen: SeenLabels) -> str:
    few = len(seen.classes) <= min(_FEW_CLASSES, seen.num_classes - 1)
    if not (few and seen.share_ignored() > _MOST and seen.is_own_numbering):
        return ""
    return (
        f"{100 * seen.share_ignored():.0f} % of the labels of {dataset.name} do not count ({seen.ignored}), and of the "
        f"{seen.num_classes} classes only {some_names(map(str, sorted(seen.classes)))} were seen. Likely cause: "
        "masks, or labels of other classes than the model's."
    )


def _doubt_zero(dataset: AnyDataset, seen: SeenLabels) -> str:
    if not (seen.is_own_numbering and 0 in seen.classes):
        return ""
    return (
        f"The model was trained on labels that count from 1, with 0 as not labelled; labels of {dataset.name} hold 0, "
        f"which is taken for the first class. If they are such labels: {dataset.advise(reduce=True)}"
    )


def _doubt_turned(dataset: AnyDataset) -> str:
    files = _label_files(dataset)
    count = sum(map(_is_ambiguous, files.values()))
    if not count:
        return ""
    return (
        f"{count} of {len(files)} pictures of {dataset.name} are stored mirrored or turned (EXIF) in a way that keeps "
        "their size, so that the size of their labels does not tell what those were drawn on. They were taken as drawn "
        "on the stored pixels, and turned with the pictures. If they were drawn on upright pictures: "
        f"{dataset.advise(drawn_on=DrawnOn.UPRIGHT)}"
    )


def _is_ambiguous(file: LabelFile) -> bool:
    try:
        return file.is_ambiguous()
    except SegppError:
        return False
