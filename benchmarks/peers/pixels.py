"""What stands around a model of normalised pictures and logits, in PyTorch, as is usual."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from segpp_deploy.config import Normalization, Size


def prepare(picture: NDArray[np.uint8]) -> torch.Tensor:
    """Uint8 [H, W, 3] -> normalised float32 [1, 3, H, W]."""
    values = Normalization()
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (values.mean, values.std))
    image = torch.from_numpy(picture).permute(2, 0, 1)[None].to(torch.float32, memory_format=torch.contiguous_format)
    return image.sub_(mean).div_(std)


def finish(logits: torch.Tensor, size: Size) -> NDArray[np.uint8]:
    """[1, K, h, w] of any float type -> labels uint8 [H, W]: logits are upsampled, then compared."""
    full = F.interpolate(logits.float(), size=size.hw, mode="bilinear", align_corners=False)
    labels: NDArray[np.uint8] = full.argmax(1)[0].to(torch.uint8).numpy()
    return labels
