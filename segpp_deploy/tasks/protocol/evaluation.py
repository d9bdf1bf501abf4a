"""How good predictions are, in the words that every task shares: a headline score, further ones, values by class."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from segpp_deploy.config import Choice


class Unit(Choice):
    """What a score counts: a share of what is right, or a distance in pixels or in what the graph puts out."""

    FRACTION = "fraction"
    PIXELS = "px"
    OUTPUT = "output"

    @property
    def higher_is_better(self) -> bool:
        """Fractions count what is right; the others count how far off it is."""
        return self is Unit.FRACTION


@dataclass(frozen=True)
class Score:
    """One number with its name.

    Example:
        >>> score = Score("PCK@0.1", 0.95)
        >>> score.key, f"{score.loss_from(Score('PCK@0.1', 0.96)):.2f}"
        ('pck_0.1', '1.00')
    """

    name: str
    value: float
    unit: Unit = Unit.FRACTION

    @property
    def key(self) -> str:
        """The name as JSON fields spell it."""
        return key_of(self.name)

    @property
    def is_number(self) -> bool:
        """Whether anything was counted."""
        return not math.isnan(self.value)

    def loss_from(self, reference: Score) -> float:
        """Return by how much this is worse (below 0: better), in points (hundredths) of a fraction or in the unit."""
        gain = self.value - reference.value
        return -100 * gain if self.unit.higher_is_better else gain


def key_of(name: str) -> str:
    """Return a name as JSON fields spell it.

    Example:
        >>> key_of("mIoU"), key_of("pixel accuracy"), key_of("PCK@0.1")
        ('miou', 'pixel_accuracy', 'pck_0.1')
    """
    return re.sub(r"[^a-z0-9.]+", "_", name.lower()).strip("_")


@dataclass(frozen=True)
class PerClass:
    """One score by class or keypoint name; NaN where nothing was counted."""

    name: str
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The name as JSON fields spell it."""
        return f"per_class_{key_of(self.name)}"


@dataclass(frozen=True)
class Evaluation:
    """Accuracy over a data set.

    Args:
        headline: the one score that gates, reports and comparisons read.
        further: others.
        per_class: the headline's parts.
        samples: pictures, or persons, that were looked at.
        notes: facts that the scores leave out, such as classes that no label names.
        warnings: what speaks against believing the scores.
    """

    headline: Score
    further: tuple[Score, ...]
    per_class: PerClass
    samples: int
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def scores(self) -> tuple[Score, ...]:
        """All scores, the headline first."""
        return (self.headline, *self.further)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON fields: `images`, each score by its key, the values by class, and which is the headline."""
        return {
            "images": self.samples,
            "headline": self.headline.key,
            **{score.key: score.value for score in self.scores},
            self.per_class.key: dict(self.per_class.values),
        }
