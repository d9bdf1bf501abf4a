"""segpp::TokenMatch: bipartite soft matching, as an index map."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from segpp_deploy.ops.autocast import compute_in_float32
from segpp_deploy.ops.declaration import FLOATS, OpDeclaration, Tensor

NORM_EPSILON = 1e-12
"""Norms are bounded below by this, so that a zero token is similar to nothing instead of NaN."""

TOKEN_MATCH = OpDeclaration(
    name="TokenMatch",
    inputs=(Tensor("tokens", FLOATS, "[B, N, C], N = grid_h * grid_w, row-major"),),
    outputs=(Tensor("row_of_token", ("int32",), "[B, N], values in [0, N - num_removed), every row hit"),),
    infer_shapes=lambda shapes, attributes: [[*shapes[0][:2]]],
    attributes=("grid_h", "grid_w", "stride_y", "stride_x", "num_removed"),
    has_plugin=True,
)


def destination_mask(grid_h: int, grid_w: int, stride_y: int, stride_x: int) -> torch.Tensor:
    """Return [N] bool: True for the top-left token of every whole stride_y x stride_x cell.

    Example:
        >>> destination_mask(2, 5, 2, 2).int().tolist()   # column 4 is in no whole cell
        [1, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    """
    mask = torch.zeros(grid_h, grid_w, dtype=torch.bool)
    mask[: grid_h // stride_y * stride_y : stride_y, : grid_w // stride_x * stride_x : stride_x] = True
    return mask.flatten()


@torch.library.custom_op("segpp::token_match", mutates_args=())
def token_match(
    tokens: torch.Tensor, grid_h: int, grid_w: int, stride_y: int, stride_x: int, num_removed: int
) -> torch.Tensor:
    """Return row_of_token [B, N] int32: the merged row each token goes to.

    Every source picks its most similar destination (cosine in float32, a zero-norm token is similar to nothing; ties go
    to the lowest destination); the `num_removed` most similar sources merge (ties go to the lowest token). The tokens
    that stay are numbered in token order. This is the oracle for every other implementation: plain, not fast.

    Args:
        tokens: [B, N, C] float32 or float16, N = grid_h * grid_w.
        grid_h: rows of the token grid.
        grid_w: columns of the token grid.
        stride_y: rows of a cell.
        stride_x: columns of a cell.
        num_removed: how many sources merge, 1 .. number of sources.

    Source: Bolya & Hoffman, "Token Merging for Fast Stable Diffusion" (2023), random2d matching without randomness, as
    SegFormer++ uses it (Kienzle et al., 2024).

    Example:
        >>> tokens = torch.tensor([[[1.0, 0], [1, 0.1], [0, 1], [1, 0.3]]])   # a 2x2 grid, one destination
        >>> token_match(tokens, 2, 2, 2, 2, 2).tolist()
        [[0, 0, 1, 0]]
    """
    batch, num_tokens, _ = tokens.shape
    device = tokens.device
    is_destination = destination_mask(grid_h, grid_w, stride_y, stride_x).to(device)
    destinations = is_destination.nonzero().flatten()
    sources = (~is_destination).nonzero().flatten()

    unit = F.normalize(tokens.float(), dim=-1, eps=NORM_EPSILON)
    similarity = unit[:, sources] @ unit[:, destinations].transpose(1, 2)
    best = similarity.amax(dim=-1)
    order = torch.arange(len(destinations), device=device)
    nearest = torch.where(similarity == best[..., None], order, len(destinations)).amin(dim=-1)

    merged = best.sort(dim=-1, descending=True, stable=True).indices[:, :num_removed]
    is_kept = torch.ones(batch, num_tokens, dtype=torch.bool, device=device)
    is_kept.scatter_(1, sources[merged], False)
    row_of_token = is_kept.cumsum(dim=1) - 1
    rows_of_destinations = row_of_token[:, destinations]
    row_of_token.scatter_(1, sources[merged], rows_of_destinations.gather(1, nearest.gather(1, merged)))
    return row_of_token.to(torch.int32)


@token_match.register_fake
def _(tokens: torch.Tensor, grid_h: int, grid_w: int, stride_y: int, stride_x: int, num_removed: int) -> torch.Tensor:
    return tokens.new_empty(tokens.shape[:2], dtype=torch.int32)


compute_in_float32("token_match")
