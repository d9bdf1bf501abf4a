"""How close two outputs are."""

from __future__ import annotations

import torch


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference as a share of the expected values' range."""
    return float((found - expected).abs().max() / (expected.max() - expected.min()))
