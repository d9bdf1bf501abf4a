"""The network between the contract's input and output: what is traced."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from segpp_deploy.config import InputKind, Normalization, OutputKind
from segpp_deploy.graph.exporting.keypoint_decoding import decode_keypoints
from segpp_deploy.graph.metadata import OUTPUT_STRIDES, ExportMetadata
from segpp_deploy.model.binary_head import with_background
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.ops.upsample_argmax import upsample_argmax


class Deployable(nn.Module):
    """Adds normalisation before the model, where the input is not, and what makes labels or keypoints of its output.

    Args:
        model: folded or not; or what stands in its place, where there is no threshold.
        input_kind: see `InputKind`.
        output_kind: see `OutputKind`; labels are [B, H, W] uint8 here, whatever their type becomes.
        normalization: what the model was trained with.
        threshold: of a segmentation model with one output, which has two here; see `with_background`.
        confidence: compute how sure each label is, too.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self,
        model: nn.Module,
        input_kind: InputKind,
        output_kind: OutputKind,
        normalization: Normalization,
        threshold: float | None = None,
        confidence: bool = False,
    ) -> None:
        super().__init__()
        if threshold is not None:
            assert isinstance(model, SegFormer)
            model = with_background(model, threshold)
        self.model = model
        self.input_kind = input_kind
        self.output_kind = output_kind
        self.confidence = confidence
        self.register_buffer("mean", torch.tensor(normalization.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(normalization.std).view(1, 3, 1, 1))

    @classmethod
    def behind(cls, metadata: ExportMetadata, model: nn.Module) -> Deployable:
        """Return a model behind the ends that the metadata describes."""
        return cls(
            model,
            metadata.input_kind,
            metadata.output_kind,
            metadata.normalization,
            metadata.threshold,
            metadata.output_form.confidence,
        )

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Contract input -> what `output_kind` says, and the confidence [B, H, W] uint8 where asked for."""
        height, width = image.shape[2:] if self.input_kind.is_planar else image.shape[1:3]
        return finish(self.logits(image), self.output_kind, (int(height), int(width)), self.confidence)

    def logits(self, image: torch.Tensor) -> torch.Tensor:
        """Contract input -> logits or heatmaps [B, K, h, w]."""
        if not self.input_kind.is_planar:
            # Cast first: TensorRT takes uint8 as an input, but in no operation other than a cast.
            image = image.float().permute(0, 3, 1, 2)
        if not self.input_kind.is_normalized:
            image = (image - self.mean) / self.std
        out: torch.Tensor = self.model(image)
        return out

    def example_input(self, batch: int, size_hw: tuple[int, int]) -> torch.Tensor:
        """Return a zero input of the contract's shape and type."""
        if self.input_kind.is_planar:
            return torch.zeros(batch, 3, *size_hw)
        return torch.zeros(batch, *size_hw, 3, dtype=torch.uint8)


def finish(
    logits: torch.Tensor, output_kind: OutputKind, size_hw: tuple[int, int], confidence: bool
) -> tuple[torch.Tensor, ...]:
    """Logits or heatmaps [B, K, h, w], and the picture's size -> what `output_kind` says, and the confidence."""
    if output_kind.is_labels:
        labels: torch.Tensor = upsample_argmax(logits, *size_hw)
        return (labels, confidence_of(logits, size_hw)) if confidence else (labels,)
    if output_kind is OutputKind.KEYPOINTS:
        rows = int(logits.shape[2])
        return (decode_keypoints(logits, min(OUTPUT_STRIDES, key=lambda stride: abs(size_hw[0] / stride - rows))),)
    return (logits,)


def confidence_of(logits: torch.Tensor, size_hw: tuple[int, int]) -> torch.Tensor:
    """Logits [B, K, h, w], and the picture's size -> 255 times the probability of each label, [B, H, W] uint8.

    The probability is the softmax over the classes of the upsampled logits; what is rounded, halves to even.

    Example:
        >>> confidence_of(torch.tensor([[[[20.0, 0.0]], [[0.0, 0.0]]]]), (1, 2)).tolist()
        [[[255, 128]]]
    """
    full = F.interpolate(logits, size=size_hw, mode="bilinear", align_corners=False)
    others = (full - full.amax(dim=1, keepdim=True)).exp().sum(dim=1)
    return (255 / others).round().to(torch.uint8)
