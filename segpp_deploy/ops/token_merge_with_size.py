"""segpp::TokenMergeWithSize: the mean of the tokens of each row, and the logarithm of how many they are."""

from __future__ import annotations

import torch

from segpp_deploy.ops.autocast import compute_in_float32
from segpp_deploy.ops.declaration import FLOATS, OpDeclaration, Tensor
from segpp_deploy.ops.token_merge import count_tokens, keep_map, share_gradient, token_merge

TOKEN_MERGE_WITH_SIZE = OpDeclaration(
    name="TokenMergeWithSize",
    inputs=(Tensor("tokens", FLOATS, "[B, N, C]"), Tensor("row_of_token", ("int32",), "[B, N]")),
    outputs=(
        Tensor("merged", FLOATS, "[B, num_rows, C]"),
        # Added to scores right before the softmax, which is float32 in every precision.
        Tensor("log_size", ("float32",), "[B, num_rows]"),
    ),
    infer_shapes=lambda shapes, attributes: [
        [shapes[0][0], attributes["num_rows"], shapes[0][2]],
        [shapes[0][0], attributes["num_rows"]],
    ],
    attributes=("num_rows",),
    has_plugin=True,
)


@torch.library.custom_op("segpp::token_merge_with_size", mutates_args=())
def token_merge_with_size(
    tokens: torch.Tensor, row_of_token: torch.Tensor, num_rows: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return merged [B, num_rows, C], as `token_merge` does, and log_size [B, num_rows] float32: log n of n tokens.

    Args:
        tokens: [B, N, C] float32 or float16.
        row_of_token: [B, N] int32 from `token_match`.
        num_rows: M, the number of rows.

    Source: Bolya et al., "Token Merging: Your ViT But Faster" (2023), proportional attention: softmax(q k^T + log n).

    Example:
        >>> tokens = torch.tensor([[[1.0], [3.0], [5.0]]])
        >>> merged, log_size = token_merge_with_size(tokens, torch.tensor([[0, 0, 1]], dtype=torch.int32), 2)
        >>> merged.flatten().tolist(), log_size.exp().tolist()
        ([2.0, 5.0], [[2.0, 1.0]])
    """
    return token_merge(tokens, row_of_token, num_rows), count_tokens(row_of_token, num_rows).log()


@token_merge_with_size.register_fake
def _(tokens: torch.Tensor, row_of_token: torch.Tensor, num_rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    batch, _, channels = tokens.shape
    return tokens.new_empty(batch, num_rows, channels), tokens.new_empty(batch, num_rows, dtype=torch.float32)


token_merge_with_size.register_autograd(share_gradient, setup_context=keep_map)  # sizes depend on no value of a token
compute_in_float32("token_merge_with_size")
