"""A head with one output, trained with a sigmoid, as the model of two classes that it is.

A pixel is foreground where sigmoid(x) > t, that is where x - log(t / (1 - t)) > 0. So beside a background whose logit
is 0 everywhere, the trained logit shifted by that much is the larger one exactly there; equal ones go to the lower
class, the background. Zero stays zero in every number format, and resizing and averaging, whose weights sum to one,
keep the shift: all that comes after sees two classes and their logits.
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import torch
from torch import nn

from segpp_deploy.model.segformer import SegFormer


def with_background(model: SegFormer, threshold: float) -> SegFormer:
    """Return a copy with a second output before the trained one: background and foreground.

    Args:
        model: a segmentation model with one output (`ModelSpec.is_binary`), folded or not.
        threshold: of the sigmoid, above 0 and below 1.
    """
    assert model.spec.is_binary
    copied = copy.deepcopy(model)
    trained = copied.head.predict
    assert isinstance(trained, nn.Conv2d)
    assert trained.bias is not None
    predict = nn.Conv2d(trained.in_channels, 2, 1)
    shift = math.log(threshold / (1 - threshold))
    with torch.no_grad():
        predict.weight.copy_(torch.cat([torch.zeros_like(trained.weight), trained.weight]))
        # In double precision: the shift is rounded once, with the sum.
        predict.bias.copy_(torch.cat([torch.zeros(1, dtype=torch.float64), trained.bias.double() - shift]))  # type: ignore[union-attr]
    copied.head.predict, copied.spec = predict.eval(), replace(model.spec, num_outputs=2)
    return copied
