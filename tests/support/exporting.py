"""Exports with few words, and inputs for them; what benchmarks and tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
import torch
from onnx_ir.passes import common as passes

from segpp_deploy.config import (
    InputKind,
    Lowering,
    Normalization,
    OutputKind,
    Preset,
    Size,
    default_class_table,
)
from segpp_deploy.graph.exporting.export import ExportedGraph, GraphOptions, export_graph
from segpp_deploy.graph.precision.layers import LayerKind, find_layers
from segpp_deploy.model.plan import PRESETS, MergePlan
from segpp_deploy.model.segformer import SegFormer

Array = npt.NDArray[np.generic]
# Tests that look at any exported network take these, so that few networks are traced (see tests/support/traces.py).
RAGGED = Size(136, 200)  # no multiple of 32, and token grids that no cell divides
SCENE_SIZE = Size(256, 512)  # of the demo model's
PICTURE_TO_LABELS = {"input_kind": InputKind.UINT8, "output_kind": OutputKind.LABELS}


def request(size: Size, outputs: int, **changes: object) -> GraphOptions:
    """An export request with float input, logits output, batch 1."""
    values: dict[str, object] = {
        "batch": 1,
        "input_kind": InputKind.FLOAT,
        "output_kind": OutputKind.LOGITS,
        "lowering": Lowering.PORTABLE,
        "classes": default_class_table(outputs),
        "normalization": Normalization(),
        "checkpoint": "test weights",
        "checkpoint_sha256": "0" * 64,
    }
    return GraphOptions(size=size, **{**values, **changes})  # type: ignore[arg-type]


def export(model: SegFormer, plan: MergePlan | Preset, target: Path, size: Size, **changes: object) -> ExportedGraph:
    """Export `model` with `plan`, which it keeps."""
    model.plan = PRESETS[plan] if isinstance(plan, Preset) else plan
    return export_graph(model, request(size, model.spec.num_outputs, **changes), target)


def export_logits(model: SegFormer, plan: MergePlan | Preset, target: Path, **changes: object) -> Path:
    """Export what makes labels of a picture of `RAGGED`, cut off behind its logits, and return its path.

    The other end is traced with it, because many tests look at graphs with that.
    """
    graph = ir.load(export(model, plan, target, RAGGED, **PICTURE_TO_LABELS, **changes).path)
    (predict,) = (layer for layer in find_layers(graph) if layer.kind is LayerKind.HEAD_PREDICT)
    graph.graph.outputs.clear()
    graph.graph.outputs.append(predict.output)
    passes.RemoveUnusedNodesPass()(graph)
    ir.save(graph, target)
    return target


def smooth_pictures(size: Size, batch: int = 1, seed: int = 5) -> torch.Tensor:
    """Normalised float pictures [B, 3, H, W] without the near-ties of white noise."""
    coarse = torch.randn(batch, 3, size.height // 8, size.width // 8, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size=size.hw, mode="bicubic")


def to_bytes(pictures: torch.Tensor) -> npt.NDArray[np.uint8]:
    """Pictures as `smooth_pictures` gives them -> uint8 [B, H, W, 3]."""
    return ((pictures.permute(0, 2, 3, 1) + 3) * 40).clamp(0, 255).to(torch.uint8).contiguous().numpy()


def run_onnxruntime(path: Path, image: Array) -> Array:
    """Load the file with ONNX Runtime's default settings and run it once."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    outputs: list[Array] = session.run(None, {"image": image})
    return outputs[0]
