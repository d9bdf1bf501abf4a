"""Exports of a network that takes no time: all that is around a real one is as it is there."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir
import torch
from torch import nn

from segpp_deploy.graph.exporting import export as exporting
from segpp_deploy.graph.exporting.deployable import Deployable
from segpp_deploy.graph.exporting.output_form import give_form
from segpp_deploy.graph.metadata import ExportMetadata


class MeanColours(nn.Module):
    """The logits of three classes are the channels of the normalised picture, averaged 4x4, times `contrast`."""

    contrast = 4.0

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """[B, 3, H, W] -> [B, 3, H/4, W/4]."""
        return self.contrast * nn.functional.avg_pool2d(image, 4)


def deploy_stub(metadata: ExportMetadata) -> Deployable:
    """Return what is traced."""
    return Deployable.behind(metadata, MeanColours())


def export_stub(path: Path, metadata: ExportMetadata) -> Path:
    """Write an exported file with three classes, and return its path."""
    trace = exporting.trace  # type: ignore[attr-defined]  # the tests keep what this one traces
    graph = exporting.lower_graph(trace(deploy_stub(metadata), metadata.size.hw, metadata.batch), metadata.lowering)
    give_form(graph.graph, metadata)
    graph.metadata_props.update(metadata.to_properties())
    proto = ir.to_proto(graph)
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)
    return path
