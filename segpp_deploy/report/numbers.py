"""Fractions and scores as text."""

from __future__ import annotations

import math

from segpp_deploy.tasks.protocol.evaluation import Score, Unit


def format_percent(fraction: float, digits: int = 2) -> str:
    """Return percent, "-" for NaN.

    Example:
        >>> format_percent(0.79254), format_percent(float("nan"))
        ('79.25 %', '-')
    """
    return "-" if math.isnan(fraction) else f"{100 * fraction:.{digits}f} %"


def format_agreement(fraction: float) -> str:
    """Return percent, rounded down: only full agreement reads 100 %.

    Example:
        >>> format_agreement(0.9999985), format_agreement(1.0)
        ('99.999 %', '100.000 %')
    """
    return "-" if math.isnan(fraction) else f"{math.floor(fraction * 100_000) / 1000:.3f} %"


def format_score(score: Score, digits: int = 2) -> str:
    """Return a score's value with its unit.

    Example:
        >>> format_score(Score("mIoU", 0.79254)), format_score(Score("mean distance", 1.5, Unit.PIXELS))
        ('79.25 %', '1.50 px')
    """
    if score.unit is Unit.FRACTION:
        return format_percent(score.value, digits)
    if not score.is_number:
        return "not compared"
    return f"{score.value:.{digits}f} px" if score.unit is Unit.PIXELS else f"{score.value:.2e}"
