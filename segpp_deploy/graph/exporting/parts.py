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
from segpp_deploy.graph.contract import output_names
from segpp_deploy.graph.exporting.deployable import Deployable, finish
from segpp_deploy.graph.exporting.export import GraphOptions, describe_graph, lower_graph
from segpp_deploy.graph.exporting.output_form import give_form
from segpp_deploy.graph.exporting.tracing import trace_module
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.model.arch import ARCH_SPECS, SPATIAL_REDUCTION, stage_grids
from segpp_deploy.model.binary_head import with_background
from segpp_deploy.model.folding import fold_model
from segpp_deploy.model.plan import MergePlan, backbone_size, resolve_stage
from segpp_deploy.model.segformer import SegFormer, shrink_image


class GraphAssembler:
    """Makes graphs of one model, with a fixed batch.

    Args:
        model: unfolded, float32, in eval mode.
        request: what to export it as; size and lowering are each graph's own.
        kept_bytes: parts of so many bytes stay in memory, those used last.
    """

    def __init__(self, model: SegFormer, request: GraphOptions, kept_bytes: int) -> None:
        self._spec = model.spec
        self._request = request
        folded = fold_model(model) if request.fold else model
        self._model = folded if request.threshold is None else with_background(folded, request.threshold)
        self._kept_bytes = kept_bytes
        self._parts: dict[Hashable, onnx.ModelProto] = {}
        self._count = 0

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
        parts = []
        given: dict[str, torch.Tensor] = {}
        for index, (output, feature) in enumerate(features.items()):
            merge = resolve_stage(plan.stages[index], grids[index], SPATIAL_REDUCTION[index])
            key = index, size, seen_hw, merge, lowering
            module: nn.Module = _Stage(self._model.encoder.stages[index], plan, index)
            if index == 0:
                module = Deployable(module, request.input_kind, OutputKind.LOGITS, request.normalization)
                given = {"image": module.example_input(batch, size.hw)}
            parts.append(self._part(key, metadata, module, given, (output,)))
            given = {output: feature}
        head = _Head(self._model.head, request)
        outputs = output_names(request.output_kind, request.output_form.confidence)
        parts.append(self._part((size, seen_hw, lowering), metadata, head, features, outputs))
        return GraphFile(Path(f"{plan.name}.onnx"), _join(parts), metadata, "")

    def _part(
        self,
        key: Hashable,
        metadata: ExportMetadata,
        module: nn.Module,
        examples: Mapping[str, torch.Tensor],
        outputs: Sequence[str],
    ) -> onnx.ModelProto:
        part = self._parts.pop(key, None)
        if part is None:
            lowered = lower_graph(trace_module(module, examples, outputs), metadata.lowering)
            if isinstance(module, _Head):
                give_form(lowered.graph, metadata)
            part = ir.to_proto(lowered)
            prefix = f"part {self._count}/"
            compose.add_prefix_graph(part.graph, prefix, rename_inputs=False, rename_outputs=False, inplace=True)
            self._count += 1
        self._parts[key] = part  # the last one used is the last to go
        while len(self._parts) > 1 and sum(one.ByteSize() for one in self._parts.values()) > self._kept_bytes:
            del self._parts[next(iter(self._parts))]
        return part


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
    """The decode head, with what makes labels or keypoints."""

    def __init__(self, head: nn.Module, request: GraphOptions) -> None:
        super().__init__()
        self.head = head
        self._request = request

    def forward(
        self, one: torch.Tensor, two: torch.Tensor, three: torch.Tensor, four: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Four maps [B, C_s, h_s, w_s] -> what the request's kind of output says, and the confidence if asked for."""
        request, logits = self._request, self.head([one, two, three, four])
        return finish(logits, request.output_kind, request.size.hw, request.output_form.confidence)


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
