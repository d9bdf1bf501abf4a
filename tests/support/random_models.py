"""Models with random weights, statistics and norm parameters: nothing is at a default that hides a wrong mapping."""

from __future__ import annotations

import torch
from torch import nn

from segpp_deploy.config import Arch
from segpp_deploy.model.dialects import TABLES, Dialect
from segpp_deploy.model.segformer import ModelSpec, SegFormer, build_segformer


def randomise(model: nn.Module, seed: int = 0) -> None:
    """Give biases, norm parameters and batch statistics distinct values."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.LayerNorm | nn.BatchNorm2d):
                module.weight.copy_(torch.rand(module.weight.shape, generator=generator) + 0.5)
                module.bias.copy_(torch.randn(module.bias.shape, generator=generator) * 0.1)
            elif isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
                module.bias.copy_(torch.randn(module.bias.shape, generator=generator) * 0.1)
            if isinstance(module, nn.BatchNorm2d):
                assert module.running_mean is not None
                assert module.running_var is not None
                module.running_mean.copy_(torch.randn(module.running_mean.shape, generator=generator) * 0.1)
                module.running_var.copy_(torch.rand(module.running_var.shape, generator=generator) + 0.5)


def random_model(dialect: Dialect, arch: Arch = Arch.B0, outputs: int = 5, head_channels: int = 256) -> SegFormer:
    """Return a model as the dialect's checkpoints hold it."""
    table = TABLES[dialect]
    torch.manual_seed(0)
    spec = ModelSpec(arch, outputs, head_channels, table.normalised_stages, table.task, table.norm_eps)
    model = build_segformer(spec)
    randomise(model)
    return model


def keep_layers(model: SegFormer, depths: tuple[int, int, int, int]) -> SegFormer:
    """Return the model with so many layers in each stage and no more: tracing takes as long as there are layers."""
    for stage, depth in zip(model.encoder.stages, depths, strict=True):
        assert isinstance(stage.layers, nn.ModuleList)
        del stage.layers[depth:]
    return model
