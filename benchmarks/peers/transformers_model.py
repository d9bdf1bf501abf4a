"""transformers' own SegFormer with the weights of ours."""

from __future__ import annotations

import torch
from torch import nn

from segpp_deploy.config import Arch
from segpp_deploy.model.arch import ARCH_SPECS
from segpp_deploy.model.dialects import Dialect, to_dialect
from segpp_deploy.model.segformer import SegFormer
from tests.support.random_models import random_model

CLASSES = 19
HEAD_CHANNELS = {Arch.B0: 256, Arch.B1: 256}
"""Of the published models; 768 for the larger ones."""


class Transformers(nn.Module):
    """transformers' SegFormer with the weights of a model in its form, returning logits."""

    def __init__(self, model: SegFormer) -> None:
        super().__init__()
        from transformers import SegformerConfig, SegformerForSemanticSegmentation

        arch = ARCH_SPECS[model.spec.arch]
        config = SegformerConfig(
            depths=list(arch.depths),
            hidden_sizes=list(arch.widths),
            decoder_hidden_size=model.spec.head_channels,
        )
        config.num_labels = model.spec.num_outputs
        self.inner = SegformerForSemanticSegmentation(config)
        self.inner.load_state_dict(to_dialect(model, Dialect.TRANSFORMERS))
        self.eval()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """[B, 3, H, W] -> [B, K, H/4, W/4]."""
        logits: torch.Tensor = self.inner(image).logits
        return logits


def published_form(arch: Arch) -> SegFormer:
    """Return our model as transformers' checkpoints of that size are formed, with seeded random weights."""
    return random_model(Dialect.HUGGING_FACE, arch, CLASSES, HEAD_CHANNELS.get(arch, 768))
