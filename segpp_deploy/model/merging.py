"""Merging and restoring tokens around an attention layer, for either side (query, key/value)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from segpp_deploy.model.plan import BsmMerge, Grid, PoolMerge, SideMerge
from segpp_deploy.ops.token_match import token_match
from segpp_deploy.ops.token_merge import token_merge
from segpp_deploy.ops.token_merge_with_size import token_merge_with_size
from segpp_deploy.ops.token_unmerge import token_unmerge


def to_grid(tokens: torch.Tensor, grid_hw: Grid) -> torch.Tensor:
    """[B, N, C] -> [B, C, h, w]."""
    return tokens.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], *grid_hw)


def to_tokens(grid: torch.Tensor) -> torch.Tensor:
    """[B, C, h, w] -> [B, N, C]."""
    return grid.flatten(2).transpose(1, 2)


@dataclass
class StageMaps:
    """The index maps of the layers so far in a stage, for the layers that reuse them."""

    q: torch.Tensor | None = None
    kv: torch.Tensor | None = None


def match_tokens(
    tokens: torch.Tensor, merge: SideMerge, layer: int, last_map: torch.Tensor | None
) -> torch.Tensor | None:
    """Return the index map [B, N] int32 for this layer: a new one, the last one, or None where no map is needed."""
    if not isinstance(merge, BsmMerge):
        return None
    if last_map is None or merge.matches_in_layer(layer):
        new_map: torch.Tensor = token_match(tokens, *merge.grid_hw, *merge.stride_yx, merge.num_removed)
        return new_map
    return last_map


def reduce_tokens(tokens: torch.Tensor, merge: SideMerge, row_of_token: torch.Tensor | None) -> torch.Tensor:
    """Return the merged tokens [B, M, C] of [B, N, C]."""
    if isinstance(merge, PoolMerge):
        grid = to_grid(tokens, merge.grid_hw)
        # Without padding this is the published ceil_mode pool: border cells average what they hold.
        pooled = F.avg_pool2d(grid, merge.stride_yx, ceil_mode=True, count_include_pad=False)
        return to_tokens(pooled)
    if isinstance(merge, BsmMerge):
        assert row_of_token is not None
        merged: torch.Tensor = token_merge(tokens, row_of_token, merge.num_rows)
        return merged
    return tokens


def reduce_keys(
    tokens: torch.Tensor, merge: SideMerge, row_of_token: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the merged tokens [B, M, C] of [B, N, C], and what their weights add to their scores.

    That is log n [B, M] or [1, M] of rows of n tokens; None where all weigh the same, or the side is not weighted.
    """
    if isinstance(merge, BsmMerge) and merge.weighted:
        assert row_of_token is not None
        merged, log_size = token_merge_with_size(tokens, row_of_token, merge.num_rows)
        return merged, log_size
    return reduce_tokens(tokens, merge, row_of_token), _log_cell_sizes(merge)


def _log_cell_sizes(merge: SideMerge) -> torch.Tensor | None:
    """Return log n [1, M] of pooled cells; softmax does not see what all of them have in common."""
    if not isinstance(merge, PoolMerge) or not merge.weighted or len(set(merge.cell_sizes)) == 1:
        return None
    return torch.tensor([[math.log(size) for size in merge.cell_sizes]])


def restore_tokens(
    rows: torch.Tensor, merge: SideMerge, row_of_token: torch.Tensor | None, residual: torch.Tensor
) -> torch.Tensor:
    """Return residual + the rows [B, M, C] spread over their tokens: [B, N, C]."""
    if isinstance(merge, PoolMerge):
        full = F.interpolate(to_grid(rows, merge.pooled_hw), size=merge.grid_hw, mode="nearest")
        return to_tokens(full) + residual
    if isinstance(merge, BsmMerge):
        assert row_of_token is not None
        restored: torch.Tensor = token_unmerge(rows, row_of_token, residual)
        return restored
    return rows + residual
