"""Exact deploy-time folding: less work for the same function, as algebra on float32 weights.

* Batch norm goes into the 1x1 convolution before it.
* The attention scale goes into the query projection.
* With a single head (stage 1) the output projection goes into the values: attention weights sum to one, so it commutes
  with them, and it then runs on the few keys instead of on every query.
* The feed-forward's linear layers become 1x1 convolutions: the same numbers, but the change of layout moves from the
  four times wider hidden tokens to its input and output.
* A 1x1 convolution commutes with bilinear upsampling (the interpolation weights sum to one), so each column block of
  the head's fusion convolution runs at its stage's own resolution and only the sums are upsampled.
* Where a stage's projection is linear, it and its fusion block become one convolution.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import nn

from segpp_deploy.model.encoder import EfficientAttention, EncoderLayer, MixFeedForward
from segpp_deploy.model.head import DecodeHead, ProjectionBlock, upsample
from segpp_deploy.model.merging import to_grid, to_tokens
from segpp_deploy.model.plan import Grid
from segpp_deploy.model.segformer import SegFormer


class FoldedHead(nn.Module):
    """The head after folding: per-stage convolutions at their own resolution, upsampled sum, ReLU, prediction."""

    def __init__(self, head: DecodeHead) -> None:
        super().__init__()
        self.stages = nn.ModuleList(_fold_stages(head))
        self.predict = copy.deepcopy(head.predict)

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        """Four maps [B, C_s, h_s, w_s] -> [B, K, h_1, w_1]."""
        size_hw = (int(features[0].shape[2]), int(features[0].shape[3]))
        blocks = [stage(feature) for stage, feature in zip(self.stages, features, strict=True)]
        coarse = upsample(blocks[1], size_hw)
        for block in blocks[2:]:
            coarse = coarse + upsample(block, size_hw)
        # The convolution's own sum comes last, so that runtimes fuse convolution, add and ReLU into one pass.
        out: torch.Tensor = self.predict(F.relu(blocks[0] + coarse))
        return out


class FoldedFeedForward(nn.Module):
    """The feed-forward with both linear layers as 1x1 convolutions on the grid."""

    def __init__(self, feed_forward: MixFeedForward) -> None:
        super().__init__()
        self.expand = _as_conv(feed_forward.expand)
        self.depthwise = feed_forward.depthwise
        self.project = _as_conv(feed_forward.project)

    def forward(self, tokens: torch.Tensor, grid_hw: Grid) -> torch.Tensor:
        """[B, N, C] -> [B, N, C]."""
        hidden = F.gelu(self.depthwise(self.expand(to_grid(tokens, grid_hw))))
        return to_tokens(self.project(hidden))


def fold_model(model: SegFormer) -> SegFormer:
    """Return a folded copy of `model`: equal outputs up to float32 rounding, fewer and smaller operations."""
    folded = copy.deepcopy(model).eval()
    if isinstance(folded.head, DecodeHead):
        folded.head = FoldedHead(folded.head)
    for module in list(folded.modules()):
        if isinstance(module, EfficientAttention):
            _fold_query_scale(module)
            _fold_output_into_values(module)
        elif isinstance(module, EncoderLayer) and isinstance(module.feed_forward, MixFeedForward):
            module.feed_forward = FoldedFeedForward(module.feed_forward)
    return folded


def _fold_query_scale(attention: EfficientAttention) -> None:
    with torch.no_grad():
        attention.query.weight.mul_(attention.query_scale)
        attention.query.bias.mul_(attention.query_scale)
    attention.query_scale = 1.0


def _fold_output_into_values(attention: EfficientAttention) -> None:
    if attention.heads > 1 or not isinstance(attention.output, nn.Linear):
        return
    outer, value = attention.output, attention.value
    weight, bias = outer.weight.detach().double(), outer.bias.detach().double()
    with torch.no_grad():
        value.bias.copy_(weight @ value.bias.double() + bias)
        value.weight.copy_(weight @ value.weight.double())
    attention.output = nn.Identity()


def _fold_stages(head: DecodeHead) -> list[nn.Module]:
    """Return one module per stage that ends with the stage's share of the fusion convolution.

    The fusion's bias is added once, in stage 1, which is not upsampled.
    """
    weight, bias = _fold_batch_norm(head.fusion)
    stages: list[nn.Module] = []
    for index, (project, block) in enumerate(zip(head.stage_projections, weight.chunk(4, dim=1), strict=True)):
        assert isinstance(project, ProjectionBlock)
        share = _conv(block, bias if index == 0 else torch.zeros_like(bias))
        project_weight, project_bias = _fold_batch_norm(project)
        if project.norm is None:
            stages.append(_compose(_conv(project_weight, project_bias), share))
        else:
            stages.append(nn.Sequential(_conv(project_weight, project_bias), nn.ReLU(), share))
    return stages


def _fold_batch_norm(block: ProjectionBlock) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the (weight [C', C, 1, 1], bias [C']) of the convolution with its batch norm, in float64."""
    weight = block.conv.weight.detach().double()
    bias = block.conv.bias.detach().double() if block.conv.bias is not None else weight.new_zeros(len(weight))
    norm = block.norm
    if norm is None:
        return weight, bias
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
    shifted = (bias - norm.running_mean.double()) * scale + norm.bias.detach().double()
    return weight * scale[:, None, None, None], shifted


def _compose(first: nn.Conv2d, second: nn.Conv2d) -> nn.Conv2d:
    """Return the 1x1 convolution that equals `second(first(x))`."""
    outer, inner = second.weight.detach().double()[:, :, 0, 0], first.weight.detach().double()[:, :, 0, 0]
    assert first.bias is not None
    assert second.bias is not None
    bias = outer @ first.bias.detach().double() + second.bias.detach().double()
    return _conv((outer @ inner)[:, :, None, None], bias)


def _as_conv(linear: nn.Linear) -> nn.Conv2d:
    """Return the 1x1 convolution with the weights of a linear layer."""
    return _conv(linear.weight.detach()[:, :, None, None], linear.bias.detach())


def _conv(weight: torch.Tensor, bias: torch.Tensor) -> nn.Conv2d:
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], 1)
    with torch.no_grad():
        conv.weight.copy_(weight)
        conv.bias.copy_(bias)  # type: ignore[union-attr]
    return conv.eval()
