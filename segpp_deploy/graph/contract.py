"""The tensors at both ends of an exported graph, derived from its metadata."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import LabelsLayout, OutputKind
from segpp_deploy.graph.metadata import ExportMetadata

INPUT_NAME = "image"
CONFIDENCE_NAME = "confidence"


@dataclass(frozen=True)
class TensorSpec:
    """Name, NumPy dtype name and shape of a tensor; None is an axis of any length (the batch).

    Example:
        >>> str(TensorSpec("labels", "uint8", (None, 512, 1024)))
        'labels uint8 [B, 512, 1024]'
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} {format_shape(self.shape)}"

    def accepts(self, dtype: str, shape: tuple[int | None, ...]) -> bool:
        """Whether an array of this type and shape fits."""
        fits = all(want is None or want == got for want, got in zip(self.shape, shape, strict=False))
        return dtype == self.dtype and len(shape) == len(self.shape) and fits


def format_shape(shape: tuple[int | None, ...]) -> str:
    """Write a shape as in the documentation.

    Example:
        >>> format_shape((None, 512, 1024, 3))
        '[B, 512, 1024, 3]'
    """
    return "[" + ", ".join("B" if length is None else str(length) for length in shape) + "]"


def input_spec(metadata: ExportMetadata) -> TensorSpec:
    """Return the graph's input: uint8 [B, H, W, 3] or float32 [B, 3, H, W]."""
    if metadata.input_kind.is_planar:
        return TensorSpec(INPUT_NAME, "float32", (metadata.batch, 3, *metadata.size.hw))
    return TensorSpec(INPUT_NAME, "uint8", (metadata.batch, *metadata.size.hw, 3))


def output_specs(metadata: ExportMetadata) -> tuple[TensorSpec, ...]:
    """Return the graph's outputs: labels, logits or heatmaps float32 [B, K, h, w], or keypoints [B, K, 3].

    h and w are the grid of the encoder's first stage, H/4 and W/4 rounded up (H/8, W/8 in downsample mode). Behind
    labels there may be their confidence, uint8, of the same shape.
    """
    kind, form = metadata.output_kind, metadata.output_form
    first, *others = output_names(kind, form.confidence)
    name = form.name or first
    if (dtype := kind.labels_dtype) is not None:
        channel = (1,) if form.layout is LabelsLayout.NHWC else ()
        shape = metadata.batch, *metadata.size.hw, *channel
        return TensorSpec(name, dtype, shape), *(TensorSpec(other, "uint8", shape) for other in others)
    grid = (3,) if kind is OutputKind.KEYPOINTS else metadata.tokens[0].grid
    return (TensorSpec(name, "float32", (metadata.batch, len(metadata.classes), *grid)),)


def output_names(kind: OutputKind, confidence: bool = False) -> tuple[str, ...]:
    """Return the names of the outputs where none is asked for.

    Example:
        >>> output_names(OutputKind.LABELS_INT32, confidence=True), output_names(OutputKind.LOGITS)
        (('labels', 'confidence'), ('logits',))
    """
    first = str(OutputKind.LABELS if kind.is_labels else kind)
    return (first, CONFIDENCE_NAME) if confidence else (first,)


def noise_images(metadata: ExportMetadata, open_batch: int = 1) -> NDArray[Any]:
    """Return random images (always the same ones) that fit the graph's input; `open_batch` where the batch is open."""
    spec = input_spec(metadata)
    shape = tuple(open_batch if length is None else length for length in spec.shape)
    generator = np.random.default_rng(0)
    if metadata.input_kind.is_normalized:
        return generator.standard_normal(shape, np.float32)
    return generator.integers(0, 256, shape, np.uint8).astype(spec.dtype)
