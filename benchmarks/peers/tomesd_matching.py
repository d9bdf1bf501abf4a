"""Matching by the public `tomesd` package as it is: in PyTorch, without its random destinations."""

from __future__ import annotations

from collections.abc import Callable

import torch

from segpp_deploy.model.plan import BsmMerge

Change = Callable[[torch.Tensor], torch.Tensor]


def match_by_tomesd(tokens: torch.Tensor, merge: BsmMerge) -> tuple[Change, Change]:
    """Match tokens [B, N, C]; return what merges them, to [B, M, C], and what restores rows, to [B, N, C]."""
    from tomesd.merge import bipartite_soft_matching_random2d

    (height, width), (stride_y, stride_x) = merge.grid_hw, merge.stride_yx
    functions: tuple[Change, Change] = bipartite_soft_matching_random2d(
        tokens, width, height, stride_x, stride_y, merge.num_removed, no_rand=True
    )
    return functions
