"""The all-MLP head of SegFormer, for class logits and for keypoint heatmaps alike."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


def upsample(grid: torch.Tensor, size_hw: tuple[int, int]) -> torch.Tensor:
    """Bilinear resize (align_corners=False) of [B, C, h, w] to `size_hw`; the identity where the size is right."""
    if tuple(grid.shape[2:]) == size_hw:
        return grid
    return F.interpolate(grid, size=size_hw, mode="bilinear", align_corners=False)


class ProjectionBlock(nn.Module):
    """1x1 convolution, with batch norm and ReLU in the mmsegmentation form, with a bias only in the linear form."""

    def __init__(self, in_channels: int, channels: int, *, normalised: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 1, bias=not normalised)
        self.norm = nn.BatchNorm2d(channels) if normalised else None

    def forward(self, grid: torch.Tensor) -> torch.Tensor:
        """[B, C, h, w] -> [B, C', h, w]."""
        out: torch.Tensor = self.conv(grid)
        return out if self.norm is None else F.relu(self.norm(out))


class DecodeHead(nn.Module):
    """Project each stage, upsample to stride 4, concatenate (stage 1 first), fuse, predict.

    Args:
        widths: channels of the four stages.
        channels: width of the head.
        num_outputs: classes or keypoints.
        normalised_stages: batch norm and ReLU after each stage's projection (mmsegmentation, mmpose), or a plain
            linear layer (NVIDIA's original, Hugging Face).
    """

    def __init__(self, widths: tuple[int, ...], channels: int, num_outputs: int, *, normalised_stages: bool) -> None:
        super().__init__()
        self.stage_projections = nn.ModuleList(
            ProjectionBlock(width, channels, normalised=normalised_stages) for width in widths
        )
        self.fusion = ProjectionBlock(channels * len(widths), channels, normalised=True)
        self.predict = nn.Conv2d(channels, num_outputs, 1)

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        """Four maps [B, C_s, h_s, w_s] -> [B, K, h_1, w_1]."""
        size_hw = (int(features[0].shape[2]), int(features[0].shape[3]))
        projected = [
            upsample(project(feature), size_hw)
            for project, feature in zip(self.stage_projections, features, strict=True)
        ]
        out: torch.Tensor = self.predict(self.fusion(torch.cat(projected, dim=1)))
        return out
