"""The plain export as its users run it: ONNX Runtime as it comes, what is before and after the graph on the host."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from segpp_deploy.config import InputKind, OutputKind
from segpp_deploy.engine.open import open_session
from segpp_deploy.graph.exporting.plain import export_plain
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.model.segformer import SegFormer
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.session import Session, SessionOptions, require_images
from segpp_deploy.workflows.build_engine.options import BuildOptions
from segpp_deploy.workflows.build_engine.result import BuildResult
from segpp_deploy.workflows.build_engine.run import run_build


class HostEnds:
    """A session of normalised floats in and logits out, as one of bytes in and labels out.

    As Hugging Face's image processor does it: the picture is normalised, the logits are upsampled and compared, by
    PyTorch in float32.

    Args:
        inner: the session between the two; closed with this one.
    """

    def __init__(self, inner: Session) -> None:
        self._inner = inner
        self.metadata = replace(inner.metadata, input_kind=InputKind.UINT8, output_kind=OutputKind.LABELS)
        normalization = inner.metadata.normalization
        self._mean = torch.tensor(normalization.mean).view(1, 3, 1, 1)
        self._std = torch.tensor(normalization.std).view(1, 3, 1, 1)

    def run(self, images: NDArray[Any]) -> NDArray[Any]:
        """Compute; see `Session.run`."""
        pictures = torch.from_numpy(require_images(images, self.metadata)).permute(0, 3, 1, 2).float()
        logits = torch.from_numpy(self._inner.run(((pictures - self._mean) / self._std).numpy()))
        full = F.interpolate(logits, size=self.metadata.size.hw, mode="bilinear", align_corners=False)
        labels: NDArray[Any] = full.argmax(dim=1).to(torch.uint8).numpy()
        return labels

    def run_all(self, images: NDArray[Any]) -> list[NDArray[Any]]:
        """Compute; see `Session.run_all`."""
        return [self.run(images)]

    def close(self) -> None:
        """Give the memory back."""
        self._inner.close()


def open_plain(engine: Path, options: SessionOptions) -> HostEnds:
    """Open an engine of the plain export with its ends on the host."""
    return HostEnds(open_session(engine, options))


def build_plain(model: SegFormer, exported: ExportMetadata, engine: Path) -> BuildResult:
    """Write the plain export of a model and its engine for ONNX Runtime in float32, which changes nothing.

    Args:
        model: unfolded, float32, in eval mode; its plan plays no part.
        exported: what our own export of it says of itself.
        engine: the file to write; the ONNX file lies beside it.
    """
    graph = engine.with_suffix(".onnx")
    export_plain(model, exported, graph)
    return run_build(graph, engine, BuildOptions(target=TargetName.CPU))
