"""Merging and restoring tokens around an attention layer, for either side (query, key/value)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from segpp_deploy.model.plan import BsmMerge, PoolMerge, SideMerge
from segpp_deploy.ops import token_match, token_merge, token_unmerge


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
        return token_match(tokens, *merge.grid_hw, *merge.stride_yx, merge.num_removed)
    return last_map


def reduce_tokens(tokens: torch.Tensor, merge: SideMerge, row_of_token: torch.Tensor | None) -> torch.Tensor:
    """Return the merged tokens [B, M, C] of [B, N, C]."""
    if isinstance(merge, PoolMerge):
        grid = tokens.transpose(1, 2).unflatten(2, merge.grid_hw)
        # Without padding this is the published ceil_mode pool: border cells average what they hold.
        pooled = F.avg_pool2d(grid, merge.stride_yx, ceil_mode=True, count_include_pad=False)
        return pooled.flatten(2).transpose(1, 2)
    if isinstance(merge, BsmMerge):
        assert row_of_token is not None
        return token_merge(tokens, row_of_token, merge.num_rows)
    return tokens


def restore_tokens(
    rows: torch.Tensor, merge: SideMerge, row_of_token: torch.Tensor | None, residual: torch.Tensor
) -> torch.Tensor:
    """Return residual + the rows [B, M, C] spread over their tokens: [B, N, C]."""
    if isinstance(merge, PoolMerge):
        grid = rows.transpose(1, 2).unflatten(2, merge.pooled_hw)
        full = F.interpolate(grid, size=merge.grid_hw, mode="nearest")
        return full.flatten(2).transpose(1, 2) + residual
    if isinstance(merge, BsmMerge):
        assert row_of_token is not None
        return token_unmerge(rows, row_of_token, residual)
    return rows + residual
