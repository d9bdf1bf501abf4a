"""What can be asked of `export`; apart from the work itself, so that options are checked before PyTorch is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segpp_deploy.config import Arch, InputKind, Lowering, OutputKind, Preset, Size, Task


@dataclass(frozen=True)
class ExportOptions:
    """What the user asked for; None means: take it from the card or the checkpoint, or the default.

    Args:
        output: the ONNX file to write.
        model: name or path of a model card.
        checkpoint: weights file or Hugging Face directory; replaces the card's.
        arch: backbone; checked against the weights.
        task: segmentation or pose.
        num_classes: classes or keypoints; checked against the weights.
        mode: preset name or plan file.
        size: input size in pixels.
        batch: images per call, None for a dynamic batch axis.
        input_kind: see `InputKind`.
        output_kind: see `OutputKind`.
        lowering: see `Lowering`.
        random_weights_seed: use seeded random weights instead of a checkpoint, to study latency.
    """

    output: Path
    model: str | None = None
    checkpoint: Path | None = None
    arch: Arch | None = None
    task: Task | None = None
    num_classes: int | None = None
    mode: str = str(Preset.ORIGINAL)
    size: Size | None = None
    batch: int | None = 1
    input_kind: InputKind = InputKind.UINT8
    output_kind: OutputKind | None = None
    lowering: Lowering = Lowering.PORTABLE
    random_weights_seed: int | None = None
