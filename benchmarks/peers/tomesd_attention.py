"""transformers' attention with its tokens merged by the public `tomesd` package, as the mode `fast` says.

tomesd patches diffusion models only; its matching takes any tokens, so it is called here around the attention of each
layer: queries are merged before it and its results restored after, keys and values are merged.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.peers.tomesd_matching import Change, match_by_tomesd
from benchmarks.peers.transformers_model import Transformers
from segpp_deploy.config import Preset
from segpp_deploy.model.arch import SPATIAL_REDUCTION
from segpp_deploy.model.plan import PRESETS, BsmMerge, SideMerge, resolve_stage


class MergedAttention(nn.Module):
    """A transformers attention layer with merged tokens; `stage` counts from 0."""

    def __init__(self, inner: Any, stage: int) -> None:
        super().__init__()
        self.inner = inner
        self.stage = stage

    def forward(self, tokens: torch.Tensor, height: int, width: int, **_: object) -> tuple[torch.Tensor, None]:
        """[B, N, C] -> [B, N, C]."""
        reduction = SPATIAL_REDUCTION[self.stage]
        sides = resolve_stage(PRESETS[Preset.FAST].stages[self.stage], (height, width), reduction)
        keys_values: torch.Tensor = self.inner.sequence_reduction(tokens, height, width) if reduction > 1 else tokens
        merge, restore = _match(tokens, sides.q)
        merge_keys, _restore = _match(keys_values, sides.kv)
        return restore(self._attend(merge(tokens), merge_keys(keys_values))), None

    def _attend(self, queries: torch.Tensor, keys_values: torch.Tensor) -> torch.Tensor:
        """As transformers does by default."""

        def split(projection: str, tokens: torch.Tensor) -> torch.Tensor:
            projected = getattr(self.inner, projection)(tokens).unflatten(2, (self.inner.num_attention_heads, -1))
            heads: torch.Tensor = projected.transpose(1, 2)
            return heads

        mixed = F.scaled_dot_product_attention(
            split("q_proj", queries), split("k_proj", keys_values), split("v_proj", keys_values)
        )
        out: torch.Tensor = self.inner.o_proj(mixed.transpose(1, 2).flatten(2))
        return out


def merge_attention(model: Transformers) -> Transformers:
    """Replace every attention layer of a model by one with merged tokens."""
    stages: Any = model.inner.segformer.stages
    for index, stage in enumerate(stages):
        for layer in stage.blocks:
            layer.attention = MergedAttention(layer.attention, index)
    return model


def _match(tokens: torch.Tensor, side: SideMerge) -> tuple[Change, Change]:
    """Return how to merge tokens and how to restore them; nothing where the side does not merge."""
    if side is None:
        return _same, _same
    assert isinstance(side, BsmMerge)
    return match_by_tomesd(tokens, side)


def _same(tokens: torch.Tensor) -> torch.Tensor:
    return tokens
