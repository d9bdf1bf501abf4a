"""Our own parameter names: a module of this package that somebody saved whole, `torch.save(model)`."""

from __future__ import annotations

from segpp_deploy.model.dialects.rules import Dialect, DialectTable, rename

_LAYER = "encoder.stages.{s}.layers.{b}"

OWN = DialectTable(
    dialect=Dialect.OWN,
    title="segpp-deploy module",
    signature=r"encoder\.stages\.\d\.layers\.\d+\.attention\.query\.",
    encoder_prefix="",
    head_prefix="head.",
    encoder=tuple(
        rename(name, name)
        for name in (
            "encoder.stages.{s}.patch_embed.projection",
            "encoder.stages.{s}.patch_embed.norm",
            f"{_LAYER}.norm1",
            f"{_LAYER}.attention.query",
            f"{_LAYER}.attention.key",
            f"{_LAYER}.attention.value",
            f"{_LAYER}.attention.output",
            f"{_LAYER}.attention.reduction",
            f"{_LAYER}.attention.reduction_norm",
            f"{_LAYER}.norm2",
            f"{_LAYER}.feed_forward.expand",
            f"{_LAYER}.feed_forward.depthwise",
            f"{_LAYER}.feed_forward.project",
            "encoder.stages.{s}.norm",
        )
    ),
    head=tuple(
        rename(f"head.{name}", name)
        for name in (
            "stage_projections.{s}.conv",
            "stage_projections.{s}.norm",
            "fusion.conv",
            "fusion.norm",
            "predict",
        )
    ),
    ignored=r"(?!)",
    # Without the norms nothing tells which epsilon the encoder was trained with: such a file is refused as incomplete.
    normalised_stages=True,
)
