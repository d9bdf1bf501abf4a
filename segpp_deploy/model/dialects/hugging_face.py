"""Checkpoints of transformers' SegFormer: the names of hub files, and those that live modules have since version 5."""

from __future__ import annotations

from segpp_deploy.model.arch import LayerNormEps
from segpp_deploy.model.dialects.rules import Dialect, DialectTable, Layout, rename

_LAYER = "encoder.stages.{s}.layers.{b}"
_FILE_BLOCK = "encoder.block.{s}.{b}"
_LIVE_BLOCK = "stages.{s}.blocks.{b}"

# transformers builds every LayerNorm with torch's default and never reads the layer_norm_eps of its configuration
_NORM_EPS = LayerNormEps(blocks=1e-5, embeddings=1e-5)

_FUSION_AND_CLASSIFIER = (
    rename("head.fusion.conv", "linear_fuse", Layout.STAGE_4_FIRST),
    rename("head.fusion.norm", "batch_norm"),
    rename("head.predict", "classifier"),
)

HUGGING_FACE = DialectTable(
    dialect=Dialect.HUGGING_FACE,
    title="Hugging Face",
    signature=r"encoder\.block\.\d\.\d+\.attention\.self\.",
    encoder_prefix="segformer.",
    head_prefix="decode_head.",
    encoder=(
        rename("encoder.stages.{s}.patch_embed.projection", "encoder.patch_embeddings.{s}.proj"),
        rename("encoder.stages.{s}.patch_embed.norm", "encoder.patch_embeddings.{s}.layer_norm"),
        rename(f"{_LAYER}.norm1", f"{_FILE_BLOCK}.layer_norm_1"),
        rename(f"{_LAYER}.attention.query", f"{_FILE_BLOCK}.attention.self.query"),
        rename(f"{_LAYER}.attention.key", f"{_FILE_BLOCK}.attention.self.key"),
        rename(f"{_LAYER}.attention.value", f"{_FILE_BLOCK}.attention.self.value"),
        rename(f"{_LAYER}.attention.output", f"{_FILE_BLOCK}.attention.output.dense"),
        rename(f"{_LAYER}.attention.reduction", f"{_FILE_BLOCK}.attention.self.sr"),
        rename(f"{_LAYER}.attention.reduction_norm", f"{_FILE_BLOCK}.attention.self.layer_norm"),
        rename(f"{_LAYER}.norm2", f"{_FILE_BLOCK}.layer_norm_2"),
        rename(f"{_LAYER}.feed_forward.expand", f"{_FILE_BLOCK}.mlp.dense1"),
        rename(f"{_LAYER}.feed_forward.depthwise", f"{_FILE_BLOCK}.mlp.dwconv.dwconv"),
        rename(f"{_LAYER}.feed_forward.project", f"{_FILE_BLOCK}.mlp.dense2"),
        rename("encoder.stages.{s}.norm", "encoder.layer_norm.{s}"),
    ),
    head=(rename("head.stage_projections.{s}.conv", "linear_c.{s}.proj", Layout.LINEAR), *_FUSION_AND_CLASSIFIER),
    ignored=r"(segformer\.)?classifier\.",  # the ImageNet classifier of SegformerForImageClassification
    normalised_stages=False,
    norm_eps=_NORM_EPS,
)

TRANSFORMERS = DialectTable(
    dialect=Dialect.TRANSFORMERS,
    title="transformers 5 module",
    signature=r"stages\.\d\.blocks\.\d+\.attention\.q_proj\.",
    encoder_prefix="segformer.",
    head_prefix="decode_head.",
    encoder=(
        rename("encoder.stages.{s}.patch_embed.projection", "stages.{s}.patch_embeddings.proj"),
        rename("encoder.stages.{s}.patch_embed.norm", "stages.{s}.patch_embeddings.layer_norm"),
        rename(f"{_LAYER}.norm1", f"{_LIVE_BLOCK}.layernorm_before"),
        rename(f"{_LAYER}.attention.query", f"{_LIVE_BLOCK}.attention.q_proj"),
        rename(f"{_LAYER}.attention.key", f"{_LIVE_BLOCK}.attention.k_proj"),
        rename(f"{_LAYER}.attention.value", f"{_LIVE_BLOCK}.attention.v_proj"),
        rename(f"{_LAYER}.attention.output", f"{_LIVE_BLOCK}.attention.o_proj"),
        rename(f"{_LAYER}.attention.reduction", f"{_LIVE_BLOCK}.attention.sequence_reduction.sequence_reduction"),
        rename(f"{_LAYER}.attention.reduction_norm", f"{_LIVE_BLOCK}.attention.sequence_reduction.layer_norm"),
        rename(f"{_LAYER}.norm2", f"{_LIVE_BLOCK}.layernorm_after"),
        rename(f"{_LAYER}.feed_forward.expand", f"{_LIVE_BLOCK}.mlp.fc1"),
        rename(f"{_LAYER}.feed_forward.depthwise", f"{_LIVE_BLOCK}.mlp.dwconv.dwconv"),
        rename(f"{_LAYER}.feed_forward.project", f"{_LIVE_BLOCK}.mlp.fc2"),
        rename("encoder.stages.{s}.norm", "stages.{s}.layer_norm"),
    ),
    head=(
        rename("head.stage_projections.{s}.conv", "linear_projections.{s}.proj", Layout.LINEAR),
        *_FUSION_AND_CLASSIFIER,
    ),
    ignored=r"(segformer\.)?classifier\.",
    normalised_stages=False,
    norm_eps=_NORM_EPS,
)
