"""Graphs of many plans from few traces: each encoder stage is traced once for each of its merges, and the head once.

Tracing a whole network takes ten times as long as compiling it. What is assembled here has the nodes that `build_graph`
exports, in the same order, under other names of tensors: it is for plans that are measured and forgotten.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import onnx
import onnx_ir as ir
import torch
from onnx import compose
from torch import nn

from segpp_deploy.config import Lowering, OutputKind, Size
from segpp_deploy.graph.exporting.deployable import Deployable, finish
from segpp_deploy.graph.exporting.export import GraphOptions, describe_graph, lower_graph, make_deployable
from segpp_deploy.graph.exporting.tracing import trace_module
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.model.arch import ARCH_SPECS, SPATIAL_REDUCTION, stage_grids
from segpp_deploy.model.plan import MergePlan, backbone_size, resolve_stage
from segpp_deploy.model.segformer import SegFormer, shrink_image


class GraphAssembler:
    """Makes graphs of one model, with a fixed batch.

    Args:
        model: unfolded, float32, in eval mode.
        request: what to export it as; size and lowering are each graph's own.
    """

    def __init__(self, model: SegFormer, request: GraphOptions) -> None:
        self._spec = model.spec
        self._request = request
        self._whole = make_deployable(model, request)
        self._parts: dict[Hashable, onnx.ModelProto] = {}

    def assemble(self, plan: MergePlan, size: Size, lowering: Lowering) -> GraphFile:
        """Return the graph of a plan; what of it was part of an earlier one is not traced again.

        Raises:
            SegppError: the size is too small for the plan.
        """
        request = replace(self._request, size=size, lowering=lowering)
        metadata = describe_graph(self._spec, plan, request)  # first: it finds out whether the plan fits the size
        batch, widths = metadata.images_per_call, ARCH_SPECS[self._spec.arch].widths
        seen_hw = backbone_size(plan, size.hw)
        grids = stage_grids(*seen_hw)
        features = {
            f"stage {number}": torch.zeros(batch, width, *grid)
            for number, (width, grid) in enumerate(zip(widths, grids, strict=True), start=1)
        }
        given: dict[str, torch.Tensor] = {"image": self._whole.example_input(batch, size.hw)}
        parts = []
        for index, (output, feature) in enumerate(features.items()):
            merge = resolve_stage(plan.stages[index], grids[index], SPATIAL_REDUCTION[index])
            key = index, size, seen_hw, merge, lowering
            parts.append(self._part(key, lowering, self._stage(plan, index), given, output))
            given = {output: feature}
        head = _Head(self._whole.model.head, request)
        parts.append(self._part((size, seen_hw, lowering), lowering, head, features, str(request.output_kind)))
        return GraphFile(Path(f"{plan.name}.onnx"), _join(parts), metadata, "")

    def _stage(self, plan: MergePlan, index: int) -> nn.Module:
        stage = _Stage(self._whole.model.encoder.stages[index], plan, index)
        request = self._request
        if index > 0:
            return stage
        return Deployable(stage, request.input_kind, OutputKind.LOGITS, request.normalization)

    def _part(
        self, key: Hashable, lowering: Lowering, module: nn.Module, examples: Mapping[str, torch.Tensor], output: str
    ) -> onnx.ModelProto:
        if key not in self._parts:
            graph = lower_graph(trace_module(module, examples, output), lowering)
            part = ir.to_proto(graph)
            prefix = f"part {len(self._parts)}/"
            compose.add_prefix_graph(part.graph, prefix, rename_inputs=False, rename_outputs=False, inplace=True)
            self._parts[key] = part
        return self._parts[key]


class _Stage(nn.Module):
    """An encoder stage of a plan; of the first one, what comes before it."""

    def __init__(self, stage: nn.Module, plan: MergePlan, index: int) -> None:
        super().__init__()
        self.stage = stage
        self._plan, self._index = plan, index

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Normalised image, or the map of the stage before -> [B, C, h, w]."""
        if self._index == 0:
            image = shrink_image(image, self._plan)
        out: torch.Tensor = self.stage(image, self._plan.stages[self._index])
        return out


class _Head(nn.Module):
    """The decode head, with the contract's output."""

    def __init__(self, head: nn.Module, request: GraphOptions) -> None:
        super().__init__()
        self.head = head
        self._request = request

    def forward(self, one: torch.Tensor, two: torch.Tensor, three: torch.Tensor, four: torch.Tensor) -> torch.Tensor:
        """Four maps [B, C_s, h_s, w_s] -> contract output."""
        return finish(self.head([one, two, three, four]), self._request.output_kind, self._request.size.hw)


def _join(parts: Sequence[onnx.ModelProto]) -> onnx.ModelProto:
    """Return one graph of parts whose names differ, but for what one hands to the next."""
    first, *others = parts
    whole = onnx.ModelProto()
    whole.CopyFrom(first)
    for part in others:
        whole.graph.node.extend(part.graph.node)
        whole.graph.initializer.extend(part.graph.initializer)
        whole.graph.value_info.extend([*part.graph.input, *part.graph.value_info])
    del whole.graph.output[:]
    whole.graph.output.extend(parts[-1].graph.output)
    opsets = {opset.domain: opset for part in parts for opset in part.opset_import}
    del whole.opset_import[:]
    whole.opset_import.extend(opsets.values())
    return whole
