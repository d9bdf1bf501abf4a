"""segpp::TokenUnmerge: every token takes the value of its row, with an optional residual add."""

from __future__ import annotations

from typing import Any

import torch

from segpp_deploy.ops.autocast import compute_in_float32
from segpp_deploy.ops.declaration import FLOATS, OpDeclaration, Tensor
from segpp_deploy.ops.token_merge import count_tokens

TOKEN_UNMERGE = OpDeclaration(
    name="TokenUnmerge",
    inputs=(
        Tensor("rows", FLOATS, "[B, M, C]"),
        Tensor("row_of_token", ("int32",), "[B, N]"),
        Tensor("residual", FLOATS, "[B, N, C]", optional=True),
    ),
    outputs=(Tensor("restored", FLOATS, "[B, N, C]"),),
    infer_shapes=lambda shapes, attributes: [[shapes[0][0], shapes[1][1], shapes[0][2]]],
    has_plugin=True,
)


@torch.library.custom_op("segpp::token_unmerge", mutates_args=())
def token_unmerge(rows: torch.Tensor, row_of_token: torch.Tensor, residual: torch.Tensor | None = None) -> torch.Tensor:
    """Return restored [B, N, C]: `rows[b, row_of_token[b, n]]`, plus `residual[b, n]` where it is given.

    Args:
        rows: [B, M, C] float32 or float16.
        row_of_token: [B, N] int32 from `token_match`.
        residual: [B, N, C], the skip connection, fused to save a pass over memory.

    Example:
        >>> rows, row_of_token = torch.tensor([[[2.0], [5.0]]]), torch.tensor([[0, 0, 1]], dtype=torch.int32)
        >>> token_unmerge(rows, row_of_token).flatten().tolist()
        [2.0, 2.0, 5.0]
    """
    index = row_of_token.long()[..., None].expand(-1, -1, rows.shape[2])
    restored = rows.gather(1, index)
    return restored if residual is None else restored + residual


@token_unmerge.register_fake
def _(rows: torch.Tensor, row_of_token: torch.Tensor, residual: torch.Tensor | None = None) -> torch.Tensor:
    return rows.new_empty(rows.shape[0], row_of_token.shape[1], rows.shape[2])


def _keep_map(ctx: Any, inputs: tuple[torch.Tensor, torch.Tensor, torch.Tensor | None], output: Any) -> None:
    rows, row_of_token, residual = inputs
    ctx.num_rows, ctx.has_residual = rows.shape[1], residual is not None
    ctx.save_for_backward(row_of_token)


def _sum_gradients(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, torch.Tensor | None]:
    """Return the gradient of the rows: the sum over their tokens, as the mean, for which there is a kernel, times n."""
    (row_of_token,) = ctx.saved_tensors
    count = count_tokens(row_of_token, ctx.num_rows)[..., None]
    mean = torch.ops.segpp.token_merge(gradient, row_of_token, ctx.num_rows)
    total = torch.where(count > 0, mean * count, 0)  # a row that no token took has no mean
    return total.to(gradient.dtype), None, gradient if ctx.has_residual else None


token_unmerge.register_autograd(_sum_gradients, setup_context=_keep_map)
compute_in_float32("token_unmerge")
