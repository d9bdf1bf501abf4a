"""SegFormer++ checkpoints as mmsegmentation and mmpose write them."""

from __future__ import annotations

from dataclasses import replace

from segpp_deploy.config import TaskName
from segpp_deploy.model.dialects.rules import Dialect, DialectTable, Layout, rename, stacked

_LAYER = "encoder.stages.{s}.layers.{b}"
_BLOCK = "layers.{s}.1.{b}"

_ENCODER = (
    rename("encoder.stages.{s}.patch_embed.projection", "layers.{s}.0.projection"),
    rename("encoder.stages.{s}.patch_embed.norm", "layers.{s}.0.norm"),
    rename(f"{_LAYER}.norm1", f"{_BLOCK}.norm1"),
    # torch's MultiheadAttention keeps the three input projections in one parameter, named in_proj_weight / in_proj_bias
    stacked(
        (f"{_LAYER}.attention.query", f"{_LAYER}.attention.key", f"{_LAYER}.attention.value"),
        f"{_BLOCK}.attn.attn.in_proj_{{p}}",
    ),
    rename(f"{_LAYER}.attention.output", f"{_BLOCK}.attn.attn.out_proj"),
    rename(f"{_LAYER}.attention.reduction", f"{_BLOCK}.attn.sr"),
    rename(f"{_LAYER}.attention.reduction_norm", f"{_BLOCK}.attn.norm"),
    rename(f"{_LAYER}.norm2", f"{_BLOCK}.norm2"),
    # places 2, 3 and 5 of the sequence are the activation and dropout
    rename(f"{_LAYER}.feed_forward.expand", f"{_BLOCK}.ffn.layers.0", Layout.POINTWISE_CONV),
    rename(f"{_LAYER}.feed_forward.depthwise", f"{_BLOCK}.ffn.layers.1"),
    rename(f"{_LAYER}.feed_forward.project", f"{_BLOCK}.ffn.layers.4", Layout.POINTWISE_CONV),
    rename("encoder.stages.{s}.norm", "layers.{s}.2"),
)

_HEAD = (
    rename("head.stage_projections.{s}.conv", "convs.{s}.conv"),
    rename("head.stage_projections.{s}.norm", "convs.{s}.bn"),
    rename("head.fusion.conv", "fusion_conv.conv"),
    rename("head.fusion.norm", "fusion_conv.bn"),
)

_SIGNATURE = r"layers\.\d\.1\.\d+\.attn\.attn\."

MMSEG = DialectTable(
    dialect=Dialect.MMSEG,
    title="SegFormer++ / mmsegmentation",
    signature=_SIGNATURE,
    encoder_prefix="backbone.",
    head_prefix="decode_head.",
    encoder=_ENCODER,
    head=(*_HEAD, rename("head.predict", "conv_seg")),
    ignored=r"auxiliary_head\.|data_preprocessor\.",
    normalised_stages=True,
)

MMPOSE = DialectTable(
    dialect=Dialect.MMPOSE,
    title="SegFormer++ / mmpose",
    signature=_SIGNATURE,
    encoder_prefix="backbone.",
    head_prefix="head.",
    encoder=_ENCODER,
    head=(*_HEAD, rename("head.predict", "final_layer")),
    ignored=r"data_preprocessor\.",
    normalised_stages=True,
    task=TaskName.POSE,
)

MMPOSE_0 = replace(MMPOSE, dialect=Dialect.MMPOSE_0, title="SegFormer++ / mmpose 0.x", head_prefix="keypoint_head.")
