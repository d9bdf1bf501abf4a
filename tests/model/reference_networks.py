"""The SegFormer of two dialects, written from the maths on their own state dicts; none of our modules is used."""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F

State = dict[str, torch.Tensor]
HEADS = (1, 2, 5, 8)
REDUCTION = (8, 4, 2, 1)


def mmseg_logits(state: State, image: torch.Tensor, head: str = "decode_head", last: str = "conv_seg") -> torch.Tensor:
    """SegFormer++ as mmsegmentation (and mmpose) names it: [B, 3, H, W] -> [B, K, H/4, W/4]."""
    features = []
    for stage in range(4):
        base = f"backbone.layers.{stage}"
        stride, padding = (4, 3) if stage == 0 else (2, 1)
        image = _conv(state, f"{base}.0.projection", image, stride=stride, padding=padding)
        grid_hw = image.shape[2:]
        tokens = _norm(state, f"{base}.0.norm", image.flatten(2).transpose(1, 2), 1e-6)
        for block in range(_count(state, rf"backbone\.layers\.{stage}\.1\.(\d+)\.")):
            tokens = _mmseg_block(state, f"{base}.1.{block}", tokens, grid_hw, stage)
        image = _as_grid(_norm(state, f"{base}.2", tokens, 1e-6), grid_hw)
        features.append(image)
    maps = []
    for stage, feature in enumerate(features):
        projected = F.relu(
            _batch_norm(state, f"{head}.convs.{stage}.bn", _conv(state, f"{head}.convs.{stage}.conv", feature))
        )
        maps.append(F.interpolate(projected, size=features[0].shape[2:], mode="bilinear", align_corners=False))
    fused = _conv(state, f"{head}.fusion_conv.conv", torch.cat(maps, 1))
    return _conv(state, f"{head}.{last}", F.relu(_batch_norm(state, f"{head}.fusion_conv.bn", fused)))


def _mmseg_block(state: State, base: str, tokens: torch.Tensor, grid_hw: torch.Size, stage: int) -> torch.Tensor:
    queries = _norm(state, f"{base}.norm1", tokens, 1e-6)
    source = queries
    if REDUCTION[stage] > 1:
        reduced = _conv(state, f"{base}.attn.sr", _as_grid(queries, grid_hw), stride=REDUCTION[stage])
        source = _norm(state, f"{base}.attn.norm", reduced.flatten(2).transpose(1, 2), 1e-6)
    attended, _ = F.multi_head_attention_forward(  # torch's own reading of in_proj_weight
        queries.transpose(0, 1),
        source.transpose(0, 1),
        source.transpose(0, 1),
        tokens.shape[2],
        HEADS[stage],
        state[f"{base}.attn.attn.in_proj_weight"],
        state[f"{base}.attn.attn.in_proj_bias"],
        None,
        None,
        False,
        0.0,
        state[f"{base}.attn.attn.out_proj.weight"],
        state[f"{base}.attn.attn.out_proj.bias"],
        training=False,
        need_weights=False,
    )
    tokens = tokens + attended.transpose(0, 1)
    hidden = _as_grid(_norm(state, f"{base}.norm2", tokens, 1e-6), grid_hw)
    hidden = _conv(state, f"{base}.ffn.layers.0", hidden)
    hidden = _conv(state, f"{base}.ffn.layers.1", hidden, padding=1, groups=hidden.shape[1])
    return tokens + _conv(state, f"{base}.ffn.layers.4", F.gelu(hidden)).flatten(2).transpose(1, 2)


def nvlabs_logits(state: State, image: torch.Tensor) -> torch.Tensor:
    """The original SegFormer: [B, 3, H, W] -> [B, K, H/4, W/4]."""
    features = []
    for stage in range(1, 5):
        stride, padding = (4, 3) if stage == 1 else (2, 1)
        image = _conv(state, f"backbone.patch_embed{stage}.proj", image, stride=stride, padding=padding)
        grid_hw = image.shape[2:]
        tokens = _norm(state, f"backbone.patch_embed{stage}.norm", image.flatten(2).transpose(1, 2), 1e-5)
        for block in range(_count(state, rf"backbone\.block{stage}\.(\d+)\.")):
            tokens = _nvlabs_block(state, f"backbone.block{stage}.{block}", tokens, grid_hw, stage - 1)
        image = _as_grid(_norm(state, f"backbone.norm{stage}", tokens, 1e-6), grid_hw)
        features.append(image)
    maps = []
    for stage in (4, 3, 2, 1):
        feature = features[stage - 1]
        projected = _linear(state, f"decode_head.linear_c{stage}.proj", feature.flatten(2).transpose(1, 2))
        grid = _as_grid(projected, feature.shape[2:])
        maps.append(F.interpolate(grid, size=features[0].shape[2:], mode="bilinear", align_corners=False))
    fused = F.conv2d(torch.cat(maps, 1), state["decode_head.linear_fuse.conv.weight"])
    return _conv(state, "decode_head.linear_pred", F.relu(_batch_norm(state, "decode_head.linear_fuse.bn", fused)))


def _nvlabs_block(state: State, base: str, tokens: torch.Tensor, grid_hw: torch.Size, stage: int) -> torch.Tensor:
    normed = _norm(state, f"{base}.norm1", tokens, 1e-6)
    source = normed
    if REDUCTION[stage] > 1:
        reduced = _conv(state, f"{base}.attn.sr", _as_grid(normed, grid_hw), stride=REDUCTION[stage])
        source = _norm(state, f"{base}.attn.norm", reduced.flatten(2).transpose(1, 2), 1e-5)
    batch, length, channels = tokens.shape
    width = channels // HEADS[stage]
    query = _linear(state, f"{base}.attn.q", normed).reshape(batch, length, HEADS[stage], width).permute(0, 2, 1, 3)
    pairs = _linear(state, f"{base}.attn.kv", source).reshape(batch, -1, 2, HEADS[stage], width)
    key, value = pairs.permute(2, 0, 3, 1, 4)
    weights = torch.softmax(torch.einsum("bhqd,bhkd->bhqk", query, key) / width**0.5, dim=-1)
    mixed = torch.einsum("bhqk,bhkd->bqhd", weights, value).reshape(batch, length, channels)
    tokens = tokens + _linear(state, f"{base}.attn.proj", mixed)
    hidden = _as_grid(_linear(state, f"{base}.mlp.fc1", _norm(state, f"{base}.norm2", tokens, 1e-6)), grid_hw)
    hidden = _conv(state, f"{base}.mlp.dwconv.dwconv", hidden, padding=1, groups=hidden.shape[1])
    return tokens + _linear(state, f"{base}.mlp.fc2", F.gelu(hidden.flatten(2).transpose(1, 2)))


def _count(state: State, pattern: str) -> int:
    return 1 + max(int(match[1]) for match in (re.match(pattern, name) for name in state) if match)


def _as_grid(tokens: torch.Tensor, grid_hw: torch.Size) -> torch.Tensor:
    return tokens.transpose(1, 2).reshape(tokens.shape[0], -1, *grid_hw)


def _conv(state: State, name: str, x: torch.Tensor, stride: int = 1, padding: int = 0, groups: int = 1) -> torch.Tensor:
    return F.conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), stride, padding, 1, groups)


def _linear(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def _norm(state: State, name: str, x: torch.Tensor, eps: float) -> torch.Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps)


def _batch_norm(state: State, name: str, x: torch.Tensor) -> torch.Tensor:
    mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return F.batch_norm(x, mean, variance, state[f"{name}.weight"], state[f"{name}.bias"], False, 0.0, 1e-5)
