"""What a right answer of TokenMatch is, rounding and ties included."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from segpp_deploy.ops.token_match import NORM_EPSILON, destination_mask, token_match
from tests.plugins.kernels.host_kernels import NO_SLOT, HostKernels, place

Array = npt.NDArray[Any]
ROUNDING = 2e-6  # similarities closer than this may swap: float32 sums of up to 512 products in another order


@dataclass(frozen=True)
class Match:
    """One call of TokenMatch."""

    tokens: torch.Tensor
    grid: tuple[int, int]
    stride: tuple[int, int]
    num_removed: int

    @property
    def num_rows(self) -> int:
        return self.grid[0] * self.grid[1] - self.num_removed

    def expected(self) -> Array:
        """The reference's row_of_token."""
        rows: torch.Tensor = token_match(self.tokens, *self.grid, *self.stride, self.num_removed)
        return rows.numpy()

    def found(self, kernels: HostKernels, misalign: int = 0) -> Array:
        """The kernel's; where it is one launch, two must give the same."""
        arguments = (place(self.tokens.numpy(), misalign), self.grid, self.stride, self.num_removed)
        before = kernels.launches
        rows = kernels.token_match(*arguments)
        if kernels.launches == before + 1:
            assert np.array_equal(kernels.token_match(*arguments, slot=NO_SLOT), rows)
        return rows


@dataclass(frozen=True)
class Similarities:
    """Cosines in float64 of one image: [sources, destinations]."""

    values: Array
    sources: Array
    destinations: Array

    @staticmethod
    def of(match: Match, image: int) -> Similarities:
        mask = destination_mask(*match.grid, *match.stride).numpy()
        tokens = match.tokens[image].double().numpy()
        unit = tokens / np.maximum(np.linalg.norm(tokens, axis=1, keepdims=True), NORM_EPSILON)
        sources, destinations = np.flatnonzero(~mask), np.flatnonzero(mask)
        return Similarities(unit[sources] @ unit[destinations].T, sources, destinations)

    def has_near_tie(self, num_removed: int) -> bool:
        """Whether rounding may decide which destination is nearest to a source, or which sources merge."""
        best = np.sort(self.values, axis=1)[:, ::-1]
        is_close = best.shape[1] > 1 and bool((best[:, 0] - best[:, 1] < ROUNDING).any())
        order = np.sort(best[:, 0])[::-1]
        is_cut_close = num_removed < len(order) and order[num_removed - 1] - order[num_removed] < ROUNDING
        return is_close or bool(is_cut_close)


def assert_equal_away_from_ties(match: Match, found: Array) -> bool:
    """Check a result; return whether it met a near-tie and so was only checked to be right up to rounding.

    Exact equality is asked for unless float64 similarities say that rounding decides. Then merges must still be within
    rounding of the best ones.
    """
    met_tie = False
    for image, (rows, expected) in enumerate(zip(found, match.expected(), strict=True)):
        similarities = Similarities.of(match, image)
        _assert_sound(similarities, rows, match.num_removed)
        if not np.array_equal(rows, expected):
            assert similarities.has_near_tie(match.num_removed), f"image {image}: {_difference(rows, expected)}"
            met_tie = True
    return met_tie


def _assert_sound(similarities: Similarities, rows: Array, num_removed: int) -> None:
    """Numbering is exact; what merges where is the best up to rounding."""
    rows_of_destinations = rows[similarities.destinations]
    is_merged = np.isin(rows[similarities.sources], rows_of_destinations)
    is_kept = np.ones(len(rows), bool)
    is_kept[similarities.sources[is_merged]] = False
    assert rows[is_kept].tolist() == list(range(len(rows) - num_removed)), "kept tokens are numbered in token order"

    best = similarities.values.max(axis=1)
    column = np.searchsorted(rows_of_destinations, rows[similarities.sources[is_merged]])
    chosen = similarities.values[is_merged][np.arange(num_removed), column]
    assert (chosen > best[is_merged] - ROUNDING).all(), "a source merges with the nearest destination"
    if not is_merged.all():
        assert best[is_merged].min() > best[~is_merged].max() - ROUNDING, "the most similar sources merge"


def _difference(rows: Array, expected: Array) -> str:
    tokens = np.flatnonzero(rows != expected)[:5]
    return f"tokens {tokens.tolist()}: found rows {rows[tokens].tolist()}, expected {expected[tokens].tolist()}"
