"""The MiT encoder with merged-token attention.

Source: Xie et al., "SegFormer" (2021) for the network; Kienzle et al., "SegFormer++" (2024) for merging.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from segpp_deploy.model.arch import (
    HEADS,
    MLP_RATIO,
    PATCH_KERNEL,
    PATCH_STRIDE,
    SPATIAL_REDUCTION,
    ArchSpec,
    LayerNormEps,
)
from segpp_deploy.model.merging import (
    StageMaps,
    match_tokens,
    reduce_keys,
    reduce_tokens,
    restore_tokens,
    to_grid,
    to_tokens,
)
from segpp_deploy.model.plan import Grid, MergePlan, StageMerge, StageSpec, resolve_stage

MOST_SCORES = 2**32
"""The most attention scores of one product (16 GiB). With 2**33 of them TensorRT-RTX 1.7 builds no engine."""

LEAST_BLOCKS = 32
"""What is cut is cut into so many blocks at least: up to 16, TensorRT-RTX 1.7 may join them to one product again."""


class PatchEmbed(nn.Module):
    """Overlapping strided convolution that makes the tokens of a stage."""

    def __init__(self, in_channels: int, channels: int, kernel: int, stride: int, eps: float) -> None:
        super().__init__()
        self.projection = nn.Conv2d(in_channels, channels, kernel, stride, padding=kernel // 2)
        self.norm = nn.LayerNorm(channels, eps=eps)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, Grid]:
        """[B, C, H, W] -> tokens [B, N, C'] and their grid (h, w)."""
        grid = self.projection(image)
        tokens: torch.Tensor = self.norm(to_tokens(grid))
        return tokens, (int(grid.shape[2]), int(grid.shape[3]))


class EfficientAttention(nn.Module):
    """Multi-head attention with spatially reduced keys and values, on merged tokens."""

    def __init__(self, channels: int, heads: int, reduction: int, eps: float) -> None:
        super().__init__()
        self.heads = heads
        self.query_scale = (channels // heads) ** -0.5  # 1.0 once folding moved it into the query weights
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.output: nn.Module = nn.Linear(channels, channels)
        self.reduction: nn.Conv2d | None = None
        if reduction > 1:
            self.reduction = nn.Conv2d(channels, channels, reduction, reduction)
            self.reduction_norm = nn.LayerNorm(channels, eps=eps)

    def key_value_tokens(self, tokens: torch.Tensor, grid_hw: Grid) -> torch.Tensor:
        """[B, N, C] -> [B, N', C]: the tokens that keys and values are made from."""
        if self.reduction is None:
            return tokens
        reduced: torch.Tensor = self.reduction_norm(to_tokens(self.reduction(to_grid(tokens, grid_hw))))
        return reduced

    def attend(
        self, queries: torch.Tensor, keys_values: torch.Tensor, log_size: torch.Tensor | None = None
    ) -> torch.Tensor:
        """[B, M, C] attending to [B, M', C] -> [B, M, C], output projection included.

        `log_size` [B or 1, M'] is added to the scores of the keys: that of a merged one which stands for n is log n.
        """
        query = self._split(self.query(queries))
        if self.query_scale != 1.0:
            query = query * self.query_scale
        key, value = self._split(self.key(keys_values)), self._split(self.value(keys_values))
        blocks = [_mix(block, key, value, log_size) for block in _in_blocks(query, key.shape[2])]
        mixed = blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=2)
        mixed = mixed.transpose(1, 2).flatten(2)
        out: torch.Tensor = self.output(mixed)
        return out

    def _split(self, tokens: torch.Tensor) -> torch.Tensor:
        batch, count, channels = tokens.shape
        return tokens.reshape(batch, count, self.heads, channels // self.heads).transpose(1, 2)


def _mix(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, log_size: torch.Tensor | None) -> torch.Tensor:
    """[B, h, M, c] attending to [B, h, M', c] -> [B, h, M, c]."""
    scores = query @ key.transpose(-2, -1)
    if log_size is not None:
        scores = scores + log_size[:, None, None].to(scores)
    return scores.softmax(dim=-1) @ value


def _in_blocks(query: torch.Tensor, num_keys: int) -> Sequence[torch.Tensor]:
    """Cut queries [B, h, M, c] into blocks of rows, each with at most `MOST_SCORES` scores; usually one."""
    batch, heads, rows, _ = query.shape
    scores = (batch if isinstance(batch, int) else 1) * heads * rows * num_keys  # a dynamic batch is symbolic
    if scores <= MOST_SCORES:
        return [query]
    num_blocks = max(LEAST_BLOCKS, -(-scores // MOST_SCORES))
    return torch.split(query, max(1, rows // num_blocks), dim=2)


class MixFeedForward(nn.Module):
    """Linear, 3x3 depthwise convolution, GELU (exact erf form), linear."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = channels * MLP_RATIO
        self.expand = nn.Linear(channels, hidden)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.project = nn.Linear(hidden, channels)

    def forward(self, tokens: torch.Tensor, grid_hw: Grid) -> torch.Tensor:
        """[B, N, C] -> [B, N, C]."""
        hidden = self.depthwise(to_grid(self.expand(tokens), grid_hw))
        out: torch.Tensor = self.project(to_tokens(F.gelu(hidden)))
        return out


class EncoderLayer(nn.Module):
    """Pre-norm transformer layer; the two sides match and merge independently."""

    def __init__(self, channels: int, heads: int, reduction: int, eps: LayerNormEps) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=eps.blocks)
        self.attention = EfficientAttention(channels, heads, reduction, eps.embeddings)
        self.norm2 = nn.LayerNorm(channels, eps=eps.blocks)
        self.feed_forward: nn.Module = MixFeedForward(channels)

    def forward(
        self, tokens: torch.Tensor, grid_hw: Grid, merge: StageMerge, layer: int, maps: StageMaps
    ) -> torch.Tensor:
        """[B, N, C] -> [B, N, C]; reads and updates the stage's index maps."""
        queries = self.norm1(tokens)
        keys_values = self.attention.key_value_tokens(queries, grid_hw)
        maps.q = match_tokens(queries, merge.q, layer, maps.q)
        maps.kv = match_tokens(keys_values, merge.kv, layer, maps.kv)
        attended = self.attention.attend(
            reduce_tokens(queries, merge.q, maps.q), *reduce_keys(keys_values, merge.kv, maps.kv)
        )
        tokens = restore_tokens(attended, merge.q, maps.q, residual=tokens)
        out: torch.Tensor = tokens + self.feed_forward(self.norm2(tokens), grid_hw)
        return out


class EncoderStage(nn.Module):
    """Patch embedding, layers, norm."""

    def __init__(self, spec: ArchSpec, index: int, eps: LayerNormEps) -> None:
        super().__init__()
        in_channels = 3 if index == 0 else spec.widths[index - 1]
        channels = spec.widths[index]
        self.reduction = SPATIAL_REDUCTION[index]
        self.patch_embed = PatchEmbed(in_channels, channels, PATCH_KERNEL[index], PATCH_STRIDE[index], eps.embeddings)
        self.layers = nn.ModuleList(
            EncoderLayer(channels, HEADS[index], self.reduction, eps) for _ in range(spec.depths[index])
        )
        self.norm = nn.LayerNorm(channels, eps=eps.blocks)

    def forward(self, image: torch.Tensor, spec: StageSpec, maps: StageMaps | None = None) -> torch.Tensor:
        """[B, C, H, W] -> [B, C', h, w]; `maps` takes the index maps of the last layer."""
        tokens, grid_hw = self.patch_embed(image)
        merge = resolve_stage(spec, grid_hw, self.reduction)
        maps = maps or StageMaps()
        for index, layer in enumerate(self.layers):
            tokens = layer(tokens, grid_hw, merge, index, maps)
        return to_grid(self.norm(tokens), grid_hw)


class MitEncoder(nn.Module):
    """The four-stage hierarchical encoder."""

    def __init__(self, spec: ArchSpec, eps: LayerNormEps) -> None:
        super().__init__()
        self.stages = nn.ModuleList(EncoderStage(spec, index, eps) for index in range(4))

    def forward(self, image: torch.Tensor, plan: MergePlan) -> list[torch.Tensor]:
        """[B, 3, H, W] -> four maps [B, C_s, h_s, w_s] at strides 4, 8, 16, 32."""
        features = []
        for stage, spec in zip(self.stages, plan.stages, strict=True):
            image = stage(image, spec)
            features.append(image)
        return features
