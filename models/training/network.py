"""What every training run does with the network: random weights, its loss, its optimizer."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from segpp_deploy.config import Arch, Normalization, TaskName
from segpp_deploy.data.datasets.labels import IGNORE_INDEX
from segpp_deploy.model.dialects import TABLES, Dialect
from segpp_deploy.model.head import DecodeHead, upsample
from segpp_deploy.model.segformer import ModelSpec, SegFormer, build_segformer

DIALECTS = {TaskName.SEG: Dialect.MMSEG, TaskName.POSE: Dialect.MMPOSE}
"""In which form models are trained and written."""


def random_model(arch: Arch, num_outputs: int, seed: int, task: TaskName = TaskName.SEG) -> SegFormer:
    """A randomly initialised model in the form of mmsegmentation or mmpose."""
    torch.manual_seed(seed)
    spec = ModelSpec(arch, num_outputs=num_outputs, task=task, norm_eps=TABLES[DIALECTS[task]].norm_eps)
    model = build_segformer(spec)
    assert isinstance(model.head, DecodeHead)
    torch.nn.init.normal_(model.head.predict.weight, std=0.01)  # start from nearly equal outputs
    return model


@torch.no_grad()
def take_weights(model: SegFormer, source: SegFormer) -> None:
    """Copy what two models of one backbone have in common: all, or all but the last layer."""
    known = source.state_dict()
    for name, target in model.state_dict().items():
        if known[name].shape == target.shape:
            target.copy_(known[name])


def normalise(images: torch.Tensor) -> torch.Tensor:
    """RGB [B, 3, H, W] in 0 .. 255, of any type -> float32, as the network takes it."""
    values = Normalization()
    mean, std = (torch.tensor(v, device=images.device).view(1, 3, 1, 1) for v in (values.mean, values.std))
    return (images.float() - mean) / std


def training_outputs(model: SegFormer, images: torch.Tensor) -> torch.Tensor:
    """The model's logits or heatmaps, with the fusion convolution applied at each stage's own resolution.

    A 1x1 convolution commutes with bilinear upsampling, so this is the model's own forward pass, only cheaper.
    """
    head = model.head
    assert isinstance(head, DecodeHead)
    assert head.fusion.norm is not None
    features = model.encoder(images, model.plan)
    size_hw = (int(features[0].shape[2]), int(features[0].shape[3]))
    shares = head.fusion.conv.weight.chunk(len(features), dim=1)
    fused = None
    for project, share, feature in zip(head.stage_projections, shares, features, strict=True):
        part = upsample(F.conv2d(project(feature), share), size_hw)
        fused = part if fused is None else fused + part
    out: torch.Tensor = head.predict(F.relu(head.fusion.norm(fused)))
    return out


def loss_of(model: SegFormer, images: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted cross-entropy at the labels' resolution, without the pixels to ignore."""
    logits = _fast_outputs(model, images)
    full = F.interpolate(logits, size=labels.shape[1:], mode="bilinear", align_corners=False)
    return F.cross_entropy(full, labels, weight=weights, ignore_index=IGNORE_INDEX)


def heatmap_loss(
    model: SegFormer, images: torch.Tensor, heatmaps: torch.Tensor, is_judged: torch.Tensor
) -> torch.Tensor:
    """Squared errors of the heatmaps [B, K, h, w] that are judged ([B, K]), as a share of those of empty ones."""
    errors = (_fast_outputs(model, images) - heatmaps).square().sum((2, 3))
    return (errors * is_judged).sum() / (heatmaps.square().sum((2, 3)) * is_judged).sum().clamp(min=1)


def _fast_outputs(model: SegFormer, images: torch.Tensor) -> torch.Tensor:
    with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=_has_bfloat16(images.device)):
        outputs = training_outputs(model, images)
    return outputs.float()


def _has_bfloat16(device: torch.device) -> bool:
    """Whether products in bfloat16 are fast: a CPU without them emulates each."""
    return device.type != "cpu" or bool(torch.cpu._is_avx512_bf16_supported())


def make_optimizer(model: SegFormer, weight_decay: float) -> torch.optim.AdamW:
    """AdamW; biases and norms do not decay. The rate is set anew in every step."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    free = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups)


def take_step(model: SegFormer, optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Change the weights by their gradients, which are clipped."""
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
