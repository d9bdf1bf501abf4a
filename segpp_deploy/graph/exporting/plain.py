"""The ordinary export of an ordinary SegFormer: what the others are compared with.

Nothing is folded, merged or rearranged. The graph is what `torch.onnx.export` writes of the network as it is commonly
written (the same operations in the same order as Hugging Face's `SegformerForSemanticSegmentation`): a normalised
picture goes in, logits at a quarter of its size come out, and the rest is left to the host.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import onnx_ir as ir
import torch
import torch.nn.functional as F
from torch import nn

from segpp_deploy.config import InputKind, OutputForm, OutputKind, Preset
from segpp_deploy.files import atomic_path
from segpp_deploy.graph.contract import INPUT_NAME
from segpp_deploy.graph.exporting.tracing import quiet_exporter
from segpp_deploy.graph.metadata import ExportMetadata
from segpp_deploy.model.encoder import EfficientAttention, EncoderLayer, MitEncoder, MixFeedForward
from segpp_deploy.model.head import DecodeHead, ProjectionBlock
from segpp_deploy.model.plan import PRESETS, Grid, count_tokens
from segpp_deploy.model.segformer import SegFormer

PLAIN = "plain export"
"""The name of its mode."""


class PlainSegFormer(nn.Module):
    """A trained model's weights in the common form of the network.

    Args:
        model: unfolded, in eval mode; its plan plays no part.
    """

    def __init__(self, model: SegFormer) -> None:
        super().__init__()
        assert isinstance(model.head, DecodeHead)
        self.encoder: MitEncoder = model.encoder
        self.head = PlainHead(model.head)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Normalised [B, 3, H, W] -> logits [B, K, H/4, W/4]."""
        features = []
        for stage in self.encoder.stages:
            tokens, grid_hw = stage.patch_embed(image)  # type: ignore[operator]
            for layer in stage.layers:  # type: ignore[union-attr]
                tokens = _transform(layer, tokens, grid_hw)
            image = _to_grid(stage.norm(tokens), grid_hw)  # type: ignore[operator]
            features.append(image)
        out: torch.Tensor = self.head(features)
        return out


class PlainHead(nn.Module):
    """The head with every stage at full resolution: project, upsample, concatenate (stage 4 first), fuse, predict."""

    def __init__(self, head: DecodeHead) -> None:
        super().__init__()
        self.projections = nn.ModuleList(_plain_projection(block) for block in head.stage_projections)
        self.fusion = _with_stage_4_first(head.fusion)
        self.predict = head.predict

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        """Four maps [B, C_s, h_s, w_s] -> [B, K, h_1, w_1]."""
        size_hw = features[0].shape[2:]
        maps = []
        for project, feature in zip(self.projections, features, strict=True):
            if isinstance(project, nn.Linear):
                grid_hw = int(feature.shape[2]), int(feature.shape[3])
                feature = _to_grid(project(feature.flatten(2).transpose(1, 2)), grid_hw)
            else:
                feature = project(feature)
            maps.append(F.interpolate(feature, size=size_hw, mode="bilinear", align_corners=False))
        out: torch.Tensor = self.predict(self.fusion(torch.cat(maps[::-1], dim=1)))
        return out


def export_plain(model: SegFormer, exported: ExportMetadata, target: Path) -> None:
    """Write the plain export of a model as an ONNX file that `read_graph` reads.

    Args:
        model: unfolded, float32, in eval mode.
        exported: what an export of the same model by `export_graph` says of itself; size, classes and origin are its.
        target: the file to write, whole or not at all.
    """
    metadata = replace(
        exported,
        plan=replace(PRESETS[Preset.ORIGINAL], name=PLAIN),
        tokens=tuple(count_tokens(PRESETS[Preset.ORIGINAL], exported.size.hw)),
        input_kind=InputKind.FLOAT,
        output_kind=OutputKind.LOGITS,
        output_form=OutputForm(),
    )
    graph = trace_plain(PlainSegFormer(model), (exported.images_per_call, 3, *exported.size.hw))
    graph.metadata_props.update(metadata.to_properties())
    with atomic_path(target) as temporary:
        onnx.save(ir.to_proto(graph), temporary)


def trace_plain(module: nn.Module, shape: tuple[int, ...]) -> ir.Model:
    """Return what `torch.onnx.export` makes of a network, left to its defaults, for pictures of one shape."""
    with quiet_exporter(), torch.no_grad():
        program = torch.onnx.export(
            module.eval(),
            (torch.zeros(shape),),
            dynamo=True,
            input_names=[INPUT_NAME],
            output_names=[str(OutputKind.LOGITS)],
            verbose=False,
        )
    assert program is not None
    model: ir.Model = program.model
    return model


def _transform(layer: EncoderLayer, tokens: torch.Tensor, grid_hw: Grid) -> torch.Tensor:
    """[B, N, C] -> [B, N, C]."""
    tokens = tokens + _attend(layer.attention, layer.norm1(tokens), grid_hw)
    assert isinstance(layer.feed_forward, MixFeedForward)
    out: torch.Tensor = tokens + _feed_forward(layer.feed_forward, layer.norm2(tokens), grid_hw)
    return out


def _attend(attention: EfficientAttention, tokens: torch.Tensor, grid_hw: Grid) -> torch.Tensor:
    """[B, N, C] -> [B, N, C]."""
    queries, reduced = attention.query(tokens), attention.key_value_tokens(tokens, grid_hw)
    heads = [
        part.unflatten(2, (attention.heads, -1)).transpose(1, 2)
        for part in (queries, attention.key(reduced), attention.value(reduced))
    ]
    mixed = F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
    out: torch.Tensor = attention.output(mixed)
    return out


def _feed_forward(block: MixFeedForward, tokens: torch.Tensor, grid_hw: Grid) -> torch.Tensor:
    """[B, N, C] -> [B, N, C]."""
    hidden = block.depthwise(_to_grid(block.expand(tokens), grid_hw)).flatten(2).transpose(1, 2)
    out: torch.Tensor = block.project(F.gelu(hidden))
    return out


def _to_grid(tokens: torch.Tensor, grid_hw: Grid) -> torch.Tensor:
    """[B, N, C] -> [B, C, h, w]."""
    grid: torch.Tensor = tokens.transpose(1, 2).unflatten(2, grid_hw)
    return grid


def _plain_projection(block: nn.Module) -> nn.Module:
    """Return a stage's projection: a linear layer on tokens where the block is no more than that."""
    assert isinstance(block, ProjectionBlock)
    if block.norm is not None:
        return block
    conv = block.conv
    linear = nn.Linear(conv.in_channels, conv.out_channels)
    with torch.no_grad():
        linear.weight.copy_(conv.weight[:, :, 0, 0])
        assert conv.bias is not None
        linear.bias.copy_(conv.bias)
    return linear


def _with_stage_4_first(fusion: ProjectionBlock) -> ProjectionBlock:
    """Return the fusion for maps in the other order."""
    conv = fusion.conv
    other = ProjectionBlock(conv.in_channels, conv.out_channels, normalised=True)
    other.load_state_dict(fusion.state_dict())
    with torch.no_grad():
        other.conv.weight.copy_(torch.cat(conv.weight.chunk(4, dim=1)[::-1], dim=1))
    return other.eval()
