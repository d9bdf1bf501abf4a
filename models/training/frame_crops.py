"""Training batches made on the device that trains: random crops at random scales, mirrored, with changed colours."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from network import normalise
from packed_camvid import Frames

from segpp_deploy.data.datasets.labels import IGNORE_INDEX

SCALE_RANGE = (0.7, 1.9)


def random_crops(frames: Frames, count: int, crop_hw: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `count` crops: images float32 [B, 3, h, w] normalised, labels int64 [B, h, w].

    The draws are those of torch's generator on the frames' device.
    """
    device = frames.images.device
    chosen = torch.randint(len(frames.images), (count,), device=device)
    grid = _random_grid(count, crop_hw, (int(frames.labels.shape[1]), int(frames.labels.shape[2])), device)
    images = F.grid_sample(frames.images[chosen].float(), grid, "bilinear", "border", align_corners=False)
    # one more than the label, so that the zeros outside of a frame are told apart
    labels = F.grid_sample(frames.labels[chosen, None].float() + 1, grid, "nearest", "zeros", align_corners=False)
    labels = labels[:, 0].long() - 1
    return normalise(_jitter(images)), labels.masked_fill(labels < 0, IGNORE_INDEX)


def _random_grid(count: int, crop_hw: tuple[int, int], frame_hw: tuple[int, int], device: torch.device) -> torch.Tensor:
    """Where each crop's pixels lie in its frame, [B, h, w, 2]; a crop leaves the frame only where it is larger."""
    low, high = map(math.log, SCALE_RANGE)
    scale = torch.empty(count, device=device).uniform_(low, high).exp()
    flip = torch.randint(2, (count,), device=device) * 2 - 1
    theta = torch.zeros(count, 2, 3, device=device)
    for row, (crop, frame) in enumerate(zip(crop_hw[::-1], frame_hw[::-1], strict=True)):  # x, then y
        share = crop / frame / scale
        theta[:, row, row] = share
        theta[:, row, 2] = torch.empty(count, device=device).uniform_(-1, 1) * (1 - share).clamp(min=0)
    theta[:, 0, 0] *= flip
    return F.affine_grid(theta, [count, 3, *crop_hw], align_corners=False)


def _jitter(images: torch.Tensor) -> torch.Tensor:
    """Change brightness, white balance, contrast and saturation of each picture [B, 3, h, w] in 0 .. 255."""

    def draw(channels: int, spread: float) -> torch.Tensor:
        return (torch.randn(len(images), channels, 1, 1, device=images.device) * spread).exp()

    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * draw(1, 0.2)
    images = (images - 128) * draw(1, 0.12) + 128
    return (images.clamp(0, 255) * draw(1, 0.15) * draw(3, 0.04)).clamp(0, 255)
