"""A session without a runtime: the last class where the picture is bright, class 0 elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.config import InputKind, OutputKind, Size, TaskName
from segpp_deploy.graph.metadata import ExportMetadata
from tests.support.tiny_graphs import tiny_metadata

SMALL = Size(32, 64)


def make_metadata(
    output_kind: OutputKind = OutputKind.LABELS,
    batch: int | None = 1,
    size: Size = SMALL,
    input_kind: InputKind = InputKind.UINT8,
    num_classes: int = 2,
    task: TaskName = TaskName.SEG,
) -> ExportMetadata:
    metadata = tiny_metadata(output_kind, input_kind, batch, size=size, num_classes=num_classes)
    return replace(metadata, task=task)


class BrightnessSession:
    """`shift` is added to the logits of the last class, to have something that differs."""

    def __init__(self, metadata: ExportMetadata, shift: float = 0.0) -> None:
        self.metadata = metadata
        self.shift = shift
        self.shapes: list[tuple[int, ...]] = []
        self.closed = False

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        self.shapes.append(images.shape)
        assert self.metadata.input_kind is InputKind.UINT8
        brightness = images.mean(axis=3, dtype=np.float32) - 127.5 + self.shift
        if self.metadata.output_kind is OutputKind.LABELS:
            return (brightness > 0).astype(np.uint8)
        small = brightness[:, 2::4, 2::4]
        others = [np.zeros_like(small)] * (len(self.metadata.classes) - 1)
        return np.stack([*others, small], axis=1)

    def close(self) -> None:
        self.closed = True
