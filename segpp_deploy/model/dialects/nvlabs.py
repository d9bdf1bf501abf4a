"""Checkpoints of the original SegFormer (github.com/NVlabs/SegFormer)."""

from __future__ import annotations

from segpp_deploy.model.arch import LayerNormEps
from segpp_deploy.model.dialects.rules import Dialect, DialectTable, Layout, rename, stacked

_LAYER = "encoder.stages.{s}.layers.{b}"
_BLOCK = "block{n}.{b}"

NVLABS = DialectTable(
    dialect=Dialect.NVLABS,
    title="NVlabs SegFormer",
    signature=r"block\d\.\d+\.attn\.q\.",
    encoder_prefix="backbone.",
    head_prefix="decode_head.",
    encoder=(
        rename("encoder.stages.{s}.patch_embed.projection", "patch_embed{n}.proj"),
        rename("encoder.stages.{s}.patch_embed.norm", "patch_embed{n}.norm"),
        rename(f"{_LAYER}.norm1", f"{_BLOCK}.norm1"),
        rename(f"{_LAYER}.attention.query", f"{_BLOCK}.attn.q"),
        # keys and values come from one linear layer, keys first
        stacked((f"{_LAYER}.attention.key", f"{_LAYER}.attention.value"), f"{_BLOCK}.attn.kv.{{p}}"),
        rename(f"{_LAYER}.attention.output", f"{_BLOCK}.attn.proj"),
        rename(f"{_LAYER}.attention.reduction", f"{_BLOCK}.attn.sr"),
        rename(f"{_LAYER}.attention.reduction_norm", f"{_BLOCK}.attn.norm"),
        rename(f"{_LAYER}.norm2", f"{_BLOCK}.norm2"),
        rename(f"{_LAYER}.feed_forward.expand", f"{_BLOCK}.mlp.fc1"),
        rename(f"{_LAYER}.feed_forward.depthwise", f"{_BLOCK}.mlp.dwconv.dwconv"),
        rename(f"{_LAYER}.feed_forward.project", f"{_BLOCK}.mlp.fc2"),
        rename("encoder.stages.{s}.norm", "norm{n}"),
    ),
    head=(
        rename("head.stage_projections.{s}.conv", "linear_c{n}.proj", Layout.LINEAR),
        rename("head.fusion.conv", "linear_fuse.conv", Layout.STAGE_4_FIRST),
        rename("head.fusion.norm", "linear_fuse.bn"),
        rename("head.predict", "linear_pred"),
    ),
    # the base class of its heads makes a conv_seg that this head never calls; `head` is the ImageNet classifier
    ignored=r"decode_head\.conv_seg\.|(backbone\.)?head\.|auxiliary_head\.",
    normalised_stages=False,
    norm_eps=LayerNormEps(blocks=1e-6, embeddings=1e-5),  # only the blocks' norms are given an eps there
)
