"""The custom ops in training with mixed precision."""

from __future__ import annotations

import torch

_DEVICES = ("cpu", "cuda")


def compute_in_float32(stem: str) -> None:
    """Let an op compute in float32 under `torch.autocast`, whatever type its inputs have there.

    Which tokens merge is decided in float32, and the kernels take float32 and float16 only.
    """
    for device in _DEVICES:
        torch.library.register_autocast(f"segpp::{stem}", device, torch.float32)
