"""What counts of pixels say about the labels: classes that they never name, and numbers that do not fit."""

from __future__ import annotations

import numpy as np

from segpp_deploy.config import ClassTable
from segpp_deploy.errors import some_names
from segpp_deploy.tasks.protocol.chance import NEAR_CHANCE, chance_of, kappa
from segpp_deploy.tasks.segmentation.pixel_counts import PixelCounts

_SHIFTED_IS_BETTER = 2.0  # times as many pixels right


def missing_classes(counts: PixelCounts, classes: ClassTable) -> tuple[str, ...]:
    """Return a note that names the classes of which no label speaks."""
    missing = np.flatnonzero(counts.expected == 0).tolist()
    if not missing or len(missing) == counts.num_classes:
        return ()
    return (f"No label names: {some_names(classes.distinct_names[index] for index in missing)}.",)


def find_doubts(counts: PixelCounts, classes: ClassTable) -> tuple[str, ...]:
    """Return what speaks against labels or normalisation: the warning, or nothing.

    Predictions that fit labels shifted by one class are told first. Else the pixels that are right are compared with
    what chance gives (Cohen's kappa), or, where labels name a single class, with a guess among all classes.
    """
    if not counts.expected.any():
        return ()
    shifted = _shifted(counts)
    if shifted:
        return (shifted,)
    right, per_class = counts.pixel_accuracy(), counts.expected
    named = np.flatnonzero(per_class)
    commonest = classes.distinct_names[int(per_class.argmax())]
    if len(named) == 1:
        is_near, beside = right <= 1 / counts.num_classes, f"labels name no class but {commonest!r}"
    else:
        is_near = kappa(right, chance_of(per_class, counts.predicted)) < NEAR_CHANCE
        beside = f"{commonest!r} everywhere would make it {_percent(float(per_class.max() / per_class.sum()))}"
    if not is_near:
        return ()
    return (
        f"Near chance: {_percent(right)} of the pixels are right; {beside}. Labels or normalisation do not fit. Likely "
        "causes: classes in another order or numbered otherwise than the model's; another mean, deviation or channel "
        "order than in training; weights that were not trained for these classes.",
    )


def _shifted(counts: PixelCounts) -> str:
    """Return a warning where the labels fit one class further up or down, and not as they are."""
    if counts.num_classes < 3:  # of two classes, a shift leaves one
        return ""
    right = counts.pixel_accuracy()
    shifts = (
        (counts.one_lower, counts.expected[1:], _COUNT_FROM_ONE),
        (counts.one_higher, counts.expected[:-1], _REDUCED_TWICE),
    )
    for fitting, per_class, meaning in shifts:
        if not per_class.any():
            continue
        found, constant = float(fitting / per_class.sum()), float(per_class.max() / per_class.sum())
        if found > max(_SHIFTED_IS_BETTER * right, constant):
            return f"{_percent(right)} of the pixels are right; {_percent(found)} would be if {meaning}"
    return ""


_COUNT_FROM_ONE = (
    "every label were one lower: the labels seem to count from 1, with 0 as not labelled. Name the data set with "
    "'?reduce' at its end."
)
_REDUCED_TWICE = (
    "every label were one higher: the labels seem to count from the model's second class. Leave the option 'reduce' "
    "out, or number them as the model's classes."
)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
