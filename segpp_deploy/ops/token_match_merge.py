"""segpp::TokenMatchMerge: TokenMatch, and TokenMergeWithSize of the same tokens by its map, as one op."""

from __future__ import annotations

import torch

from segpp_deploy.ops.autocast import compute_in_float32
from segpp_deploy.ops.declaration import FLOATS, OpDeclaration, Tensor
from segpp_deploy.ops.token_match import token_match
from segpp_deploy.ops.token_merge_with_size import token_merge_with_size

TOKEN_MATCH_MERGE = OpDeclaration(
    name="TokenMatchMerge",
    inputs=(Tensor("tokens", FLOATS, "[B, N, C], N = grid_h * grid_w, row-major"),),
    outputs=(
        Tensor("row_of_token", ("int32",), "[B, N], values in [0, num_rows), every row hit"),
        Tensor("merged", FLOATS, "[B, num_rows, C]"),
        Tensor("log_size", ("float32",), "[B, num_rows]"),
    ),
    infer_shapes=lambda shapes, attributes: [
        [*shapes[0][:2]],
        [shapes[0][0], attributes["num_rows"], shapes[0][2]],
        [shapes[0][0], attributes["num_rows"]],
    ],
    attributes=("grid_h", "grid_w", "stride_y", "stride_x", "num_rows"),
    has_plugin=True,
)


@torch.library.custom_op("segpp::token_match_merge", mutates_args=())
def token_match_merge(
    tokens: torch.Tensor, grid_h: int, grid_w: int, stride_y: int, stride_x: int, num_rows: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return row_of_token [B, N] int32, merged [B, num_rows, C] and log_size [B, num_rows] float32.

    Models do not call it: an engine's graph gets it in place of the two ops, whose values it gives.

    Args:
        tokens: [B, N, C] float32 or float16, N = grid_h * grid_w.
        grid_h: rows of the token grid.
        grid_w: columns of the token grid.
        stride_y: rows of a cell.
        stride_x: columns of a cell.
        num_rows: M, how many rows are left: N less the number of sources that merge.

    Example:
        >>> tokens = torch.tensor([[[1.0, 0], [1, 0], [0, 1], [1, 0.25]]])   # a 2x2 grid, one destination
        >>> rows, merged, log_size = token_match_merge(tokens, 2, 2, 2, 2, 3)
        >>> rows.tolist(), merged.tolist(), log_size.exp().tolist()
        ([[0, 0, 1, 2]], [[[1.0, 0.0], [0.0, 1.0], [1.0, 0.25]]], [[2.0, 1.0, 1.0]])
    """
    num_removed = grid_h * grid_w - num_rows
    row_of_token = token_match(tokens, grid_h, grid_w, stride_y, stride_x, num_removed)
    return row_of_token, *token_merge_with_size(tokens, row_of_token, num_rows)


@token_match_merge.register_fake
def _(
    tokens: torch.Tensor, grid_h: int, grid_w: int, stride_y: int, stride_x: int, num_rows: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    batch, num_tokens, channels = tokens.shape
    return (
        tokens.new_empty(batch, num_tokens, dtype=torch.int32),
        tokens.new_empty(batch, num_rows, channels),
        tokens.new_empty(batch, num_rows, dtype=torch.float32),
    )


compute_in_float32("token_match_merge")
