"""segpp::TokenMerge: the mean of the tokens of each row."""

from __future__ import annotations

from typing import Any

import torch

from segpp_deploy.ops.autocast import compute_in_float32
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
    return (total / count_tokens(row_of_token, num_rows)[..., None]).to(tokens.dtype)


@token_merge.register_fake
def _(tokens: torch.Tensor, row_of_token: torch.Tensor, num_rows: int) -> torch.Tensor:
    return tokens.new_empty(tokens.shape[0], num_rows, tokens.shape[2])


def count_tokens(row_of_token: torch.Tensor, num_rows: int) -> torch.Tensor:
    """Return how many tokens each row has, float32 [B, num_rows]."""
    count = torch.zeros(row_of_token.shape[0], num_rows, dtype=torch.float32, device=row_of_token.device)
    return count.scatter_add_(1, row_of_token.long(), torch.ones_like(row_of_token, dtype=torch.float32))


def keep_map(ctx: Any, inputs: tuple[torch.Tensor, torch.Tensor, int], output: Any) -> None:
    """Keep for the gradient which token went to which row."""
    _, row_of_token, ctx.num_rows = inputs
    ctx.save_for_backward(row_of_token)


def share_gradient(ctx: Any, gradient: torch.Tensor, *_: torch.Tensor) -> tuple[torch.Tensor, None, None]:
    """Return the gradient of the tokens: each takes its row's, divided by how many share it."""
    (row_of_token,) = ctx.saved_tensors
    share = gradient / count_tokens(row_of_token, ctx.num_rows)[..., None]
    return torch.ops.segpp.token_unmerge(share.to(gradient.dtype), row_of_token), None, None


token_merge.register_autograd(share_gradient, setup_context=keep_map)
compute_in_float32("token_merge")
