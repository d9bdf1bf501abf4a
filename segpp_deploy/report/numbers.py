"""Fractions as text."""

from __future__ import annotations

import math


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
