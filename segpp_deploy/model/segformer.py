"""SegFormer with merged-token attention: encoder, head, plan."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from segpp_deploy.config import Arch, ChannelOrder, Preset, TaskName, is_binary
from segpp_deploy.model.arch import ARCH_SPECS, LayerNormEps
from segpp_deploy.model.encoder import MitEncoder
from segpp_deploy.model.head import DecodeHead
from segpp_deploy.model.plan import PRESETS, MergePlan, backbone_size

FIRST_WEIGHT = "encoder.stages.0.patch_embed.projection.weight"
"""The parameter that meets the picture: [C, 3, 7, 7]."""


@dataclass(frozen=True)
class ModelSpec:
    """Everything that decides the shape of the weights.

    Args:
        arch: backbone.
        num_outputs: classes, or keypoints for pose.
        head_channels: width of the head (256 in mmsegmentation; 256 or 768 in the other dialects).
        normalised_stages: see `DecodeHead`.
        task: segmentation or pose; the network is the same.
        norm_eps: what the encoder's layer norms add to the variance.
    """

    arch: Arch
    num_outputs: int
    head_channels: int = 256
    normalised_stages: bool = True
    task: TaskName = TaskName.SEG
    norm_eps: LayerNormEps = field(default_factory=LayerNormEps)

    @property
    def is_binary(self) -> bool:
        """See `config.is_binary`."""
        return is_binary(self.task, self.num_outputs)


class SegFormer(nn.Module):
    """Normalised image [B, 3, H, W] float -> class logits or heatmaps [B, K, H/4, W/4] (H/8 with downsample).

    The merge plan is an attribute, not a weight: setting `model.plan` changes the mode of a loaded model.

    Example:
        >>> model = build_segformer(ModelSpec(Arch.B0, num_outputs=19), PRESETS[Preset.FAST])
        >>> tuple(model(torch.zeros(1, 3, 64, 96)).shape)
        (1, 19, 16, 24)
    """

    def __init__(self, spec: ModelSpec, plan: MergePlan) -> None:
        super().__init__()
        self.spec = spec
        self.plan = plan
        arch = ARCH_SPECS[spec.arch]
        self.encoder = MitEncoder(arch, spec.norm_eps)
        self.head: nn.Module = DecodeHead(
            arch.widths, spec.head_channels, spec.num_outputs, normalised_stages=spec.normalised_stages
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """[B, 3, H, W] -> [B, K, h, w]."""
        out: torch.Tensor = self.head(self.encoder(shrink_image(image, self.plan), self.plan))
        return out


def shrink_image(image: torch.Tensor, plan: MergePlan) -> torch.Tensor:
    """Return what the backbone sees of [B, 3, H, W]: with `downsample` the nearest resize by one half."""
    height, width = backbone_size(plan, (int(image.shape[2]), int(image.shape[3])))
    return image[:, :, : 2 * height : 2, : 2 * width : 2] if plan.downsample else image


def take_rgb(model: SegFormer, order: ChannelOrder) -> None:
    """Let a network that was trained on `order` take RGB: its first convolution's input channels change places."""
    if order is ChannelOrder.BGR:
        weight = model.get_parameter(FIRST_WEIGHT)
        with torch.no_grad():
            weight.copy_(weight.flip(1))


def build_segformer(spec: ModelSpec, plan: MergePlan | None = None) -> SegFormer:
    """Return a SegFormer with truncated-normal random weights, in eval mode."""
    model = SegFormer(spec, plan or PRESETS[Preset.ORIGINAL])
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d):
            fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
            nn.init.normal_(module.weight, std=(2.0 / fan_out) ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return model.eval()
