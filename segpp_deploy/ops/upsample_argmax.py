"""segpp::UpsampleArgmax: class logits to full-size labels without writing the full-size logits."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from segpp_deploy.ops.autocast import compute_in_float32
from segpp_deploy.ops.declaration import FLOATS, OpDeclaration, Tensor

MAX_CLASSES = 255

UPSAMPLE_ARGMAX = OpDeclaration(
    name="UpsampleArgmax",
    inputs=(Tensor("logits", FLOATS, "[B, K, h, w], K <= 255"),),
    outputs=(Tensor("labels", ("uint8",), "[B, height, width]"),),
    infer_shapes=lambda shapes, attributes: [[shapes[0][0], attributes["height"], attributes["width"]]],
    attributes=("height", "width"),
    has_plugin=True,
)


@torch.library.custom_op("segpp::upsample_argmax", mutates_args=())
def upsample_argmax(logits: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return labels [B, height, width] uint8: bilinear resize (align_corners=False), then argmax.

    Ties go to the lowest class. The order matters: argmax before the resize, or a nearest resize, gives other labels.

    Args:
        logits: [B, K, h, w] float32 or float16, K <= 255.
        height: rows of the label map in pixels.
        width: columns of the label map in pixels.

    Example:
        >>> logits = torch.tensor([[[[1.0, 0.0]], [[0.0, 0.6]]]])   # K = 2 on a 1x2 grid
        >>> upsample_argmax(logits, 1, 4).tolist()
        [[[0, 0, 1, 1]]]
    """
    full = F.interpolate(logits.float(), size=(height, width), mode="bilinear", align_corners=False)
    best = full.amax(dim=1, keepdim=True)
    classes = torch.arange(full.shape[1], device=full.device).view(1, -1, 1, 1)
    return torch.where(full == best, classes, MAX_CLASSES).amin(dim=1).to(torch.uint8)


@upsample_argmax.register_fake
def _(logits: torch.Tensor, height: int, width: int) -> torch.Tensor:
    return logits.new_empty(logits.shape[0], height, width, dtype=torch.uint8)


compute_in_float32("upsample_argmax")
