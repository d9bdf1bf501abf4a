"""A trained network grown to a wider and deeper backbone that computes the same, to go on training from.

Channels become several equal ones, and layers that add nothing yet follow those of each stage.
Source: Chen et al., "Net2Net: Accelerating Learning via Knowledge Transfer" (2016).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import torch

from segpp_deploy.config import Arch
from segpp_deploy.model.arch import ARCH_SPECS
from segpp_deploy.model.segformer import SegFormer, build_segformer

SPREAD = 0.02
"""Standard deviation of what weights are multiplied by: equal channels with equal gradients would never part."""

_LAYER = re.compile(r"(encoder\.stages\.(\d)\.layers\.)(\d+)(\..+)")
_ADDED_TO_TOKENS = (".attention.output.", ".feed_forward.project.")


def grow(small: SegFormer, arch: Arch, spread: float = SPREAD) -> SegFormer:
    """Return a model of `arch` with the outputs of `small`, but for the noise that lets its channels part.

    Args:
        small: a model in eval mode.
        arch: a backbone at least as deep, whose widths are multiples of those of `small`.
        spread: 0 for exactly the same outputs.

    Raises:
        ValueError: `arch` is shallower, or its widths are no multiples.
    """
    before, after = ARCH_SPECS[small.spec.arch], ARCH_SPECS[arch]
    if any(new < old for old, new in zip(before.depths, after.depths, strict=True)):
        raise ValueError(f"{arch} is shallower than {small.spec.arch}")
    large = build_segformer(dataclasses.replace(small.spec, arch=arch))
    known = small.state_dict()
    for name, target in large.state_dict().items():
        target.copy_(_widened(known[_name_before(name, before.depths)], target.shape))
        if ".attention.query." in name:  # products of longer rows are larger; their scale falls by the root only
            target.div_((after.widths[0] / before.widths[0]) ** 0.5)
        if _is_new(name, before.depths) and any(part in name for part in _ADDED_TO_TOKENS):
            target.zero_()
        elif target.ndim > 1:
            target.mul_(1 + spread * torch.randn_like(target))
    return large


def _is_new(name: str, depths: Sequence[int]) -> bool:
    layer = _LAYER.fullmatch(name)
    return layer is not None and int(layer[3]) >= depths[int(layer[2])]


def _name_before(name: str, depths: Sequence[int]) -> str:
    """The parameter that this one starts from; new layers start from their stage's last."""
    layer = _LAYER.fullmatch(name)
    if layer is None:
        return name
    return f"{layer[1]}{min(int(layer[3]), depths[int(layer[2])] - 1)}{layer[4]}"


def _widened(tensor: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Repeat each channel; the weights of inputs, which lie along the second dimension, share what was one weight."""
    for dim, (old, new) in enumerate(zip(tensor.shape, shape, strict=True)):
        if new % old:
            raise ValueError(f"{new} channels are no multiple of {old}")
        if new > old:
            tensor = tensor.repeat_interleave(new // old, dim)
            if dim == 1:
                tensor = tensor * (old / new)
    return tensor
