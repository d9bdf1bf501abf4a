"""segpp::TokenMerge: the mean of the tokens of each row."""

from __future__ import annotations

import torch

from segpp_deploy.ops.declaration import FLOATS, OpDeclaration, Tensor

TOKEN_MERGE = OpDeclaration(
    name="TokenMerge",
    inputs=(Tensor("tokens", FLOATS, "[B, N, C]"), Tensor("row_of_token", ("int32",), "[B, N]")),
    outputs=(Tensor("merged", FLOATS, "[B, num_rows, C]"),),
    infer_shapes=lambda shapes, attributes: [[shapes[0][0], attributes["num_rows"], shapes[0][2]]],
    attributes=("num_rows",),
    has_plugin=True,
)


@torch.library.custom_op("segpp::token_merge", mutates_args=())
def token_merge(tokens: torch.Tensor, row_of_token: torch.Tensor, num_rows: int) -> torch.Tensor:
    """Return merged [B, num_rows, C]: the mean of the tokens that share a row, accumulated in float32.

    Args:
        tokens: [B, N, C] float32 or float16.
        row_of_token: [B, N] int32 from `token_match`.
        num_rows: M, the number of rows.

    Example:
        >>> tokens = torch.tensor([[[1.0], [3.0], [5.0]]])
        >>> token_merge(tokens, torch.tensor([[0, 0, 1]], dtype=torch.int32), 2).flatten().tolist()
        [2.0, 5.0]
    """
    batch, _, channels = tokens.shape
    rows = row_of_token.long()
    total = torch.zeros(batch, num_rows, channels, dtype=torch.float32, device=tokens.device)
    total.scatter_add_(1, rows[..., None].expand(-1, -1, channels), tokens.float())
    count = torch.zeros(batch, num_rows, dtype=torch.float32, device=tokens.device)
    count.scatter_add_(1, rows, torch.ones_like(rows, dtype=torch.float32))
    return (total / count[..., None]).to(tokens.dtype)


@token_merge.register_fake
def _(tokens: torch.Tensor, row_of_token: torch.Tensor, num_rows: int) -> torch.Tensor:
    return tokens.new_empty(tokens.shape[0], num_rows, tokens.shape[2])
