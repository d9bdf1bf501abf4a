"""The whole network as functions of its weights, with merging written as the method was published.

Independent of the package's modules and index maps: sets of sources and destinations, `scatter_reduce` for the mean,
scatter for the copy back, `scaled_dot_product_attention`. Only the weights' names and the plan types are shared.
Weighted keys, which are not published, are here what they mean: every merged one as often as tokens went into it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

from segpp_deploy.model.plan import Bsm, MergePlan, N1d, N2d, SideSpec

Weights = dict[str, torch.Tensor]
Restore = Callable[[torch.Tensor], torch.Tensor]
STRIDES, KERNELS, REDUCTIONS, HEADS = (4, 2, 2, 2), (7, 3, 3, 3), (8, 4, 2, 1), (1, 2, 5, 8)
EPS = 1e-6


def segformer(weights: Weights, image: torch.Tensor, plan: MergePlan, depths: tuple[int, ...]) -> torch.Tensor:
    """[B, 3, H, W] -> [B, K, h, w], for heads with batch norm in every stage."""
    if plan.downsample:
        image = F.interpolate(image, scale_factor=0.5, mode="nearest")
    features = []
    for stage in range(4):
        image = _stage(weights, image, stage, plan, depths[stage])
        features.append(image)
    return _head(weights, features)


def _stage(weights: Weights, image: torch.Tensor, stage: int, plan: MergePlan, depth: int) -> torch.Tensor:
    prefix = f"encoder.stages.{stage}."
    projection = prefix + "patch_embed.projection"
    grid = F.conv2d(
        image,
        weights[projection + ".weight"],
        weights[projection + ".bias"],
        stride=STRIDES[stage],
        padding=KERNELS[stage] // 2,
    )
    hw = grid.shape[2:]
    x = _norm(weights, prefix + "patch_embed.norm", grid.flatten(2).transpose(1, 2))
    spec = plan.stages[stage]
    cached: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], Restore]] = {}
    for layer in range(depth):
        name = f"{prefix}layers.{layer}."
        y = _norm(weights, name + "norm1", x)
        kv, kv_hw = y, hw
        if REDUCTIONS[stage] > 1:
            r = REDUCTIONS[stage]
            grid = y.transpose(1, 2).unflatten(2, hw)
            key = name + "attention.reduction"
            grid = F.conv2d(grid, weights[key + ".weight"], weights[key + ".bias"], stride=r)
            kv_hw = grid.shape[2:]
            kv = _norm(weights, name + "attention.reduction_norm", grid.flatten(2).transpose(1, 2))
        for side, tokens, tokens_hw, side_spec in (("q", y, hw, spec.q), ("kv", kv, kv_hw, spec.kv)):
            if _matches(side_spec, layer):
                cached[side] = _merging(side_spec, tokens, tuple(tokens_hw))
        keys = cached["kv"][0](kv)
        if spec.kv is not None and spec.kv.weighted:
            keys = _repeat(spec.kv, keys, cached["kv"][1], tuple(kv_hw))
        attended = _attention(weights, name + "attention.", cached["q"][0](y), keys, HEADS[stage])
        x = x + cached["q"][1](attended)
        x = x + _feed_forward(weights, name + "feed_forward.", _norm(weights, name + "norm2", x), tuple(hw))
    return _norm(weights, prefix + "norm", x).transpose(1, 2).unflatten(2, hw)


def _matches(spec: SideSpec, layer: int) -> bool:
    if isinstance(spec, Bsm):
        return layer == 0 or (spec.match_every > 0 and layer % spec.match_every == 0)
    return True


def _merging(spec: SideSpec, tokens: torch.Tensor, hw: tuple[int, int]) -> tuple[Restore, Restore]:
    """Return (merge, unmerge) for one side."""
    if isinstance(spec, Bsm):
        return _bipartite(spec, tokens, hw)
    if isinstance(spec, N1d):
        n = tokens.shape[1]
        return (
            lambda x: F.avg_pool1d(x.transpose(1, 2), spec.stride, ceil_mode=True).transpose(1, 2),
            lambda x: F.interpolate(x.transpose(1, 2), size=n, mode="nearest").transpose(1, 2),
        )
    if isinstance(spec, N2d):
        pooled = tuple(-(-side // stride) for side, stride in zip(hw, spec.stride_yx, strict=True))
        return (
            lambda x: (
                F.avg_pool2d(x.transpose(1, 2).unflatten(2, hw), spec.stride_yx, ceil_mode=True)
                .flatten(2)
                .transpose(1, 2)
            ),
            lambda x: (
                F.interpolate(x.transpose(1, 2).unflatten(2, pooled), size=hw, mode="nearest")
                .flatten(2)
                .transpose(1, 2)
            ),
        )
    return (lambda x: x), (lambda x: x)


def _repeat(spec: Bsm | N1d | N2d, rows: torch.Tensor, unmerge: Restore, hw: tuple[int, int]) -> torch.Tensor:
    """Return what every token went into (the nearest resize that restores queries may shift borders by a token)."""
    if isinstance(spec, Bsm):
        return unmerge(rows)
    if isinstance(spec, N1d):
        return rows.repeat_interleave(spec.stride, 1)[:, : hw[0] * hw[1]]
    sy, sx = spec.stride_yx
    grid = rows.unflatten(1, (-(-hw[0] // sy), -(-hw[1] // sx)))
    return grid.repeat_interleave(sy, 1).repeat_interleave(sx, 2)[:, : hw[0], : hw[1]].flatten(1, 2)


def _bipartite(spec: Bsm, tokens: torch.Tensor, hw: tuple[int, int]) -> tuple[Restore, Restore]:
    batch, count, _ = tokens.shape
    (h, w), (sy, sx) = hw, spec.stride_yx
    flag = torch.zeros(h // sy, sy, w // sx, sx)
    flag[:, 0, :, 0] = 1
    grid = torch.zeros(h, w)
    grid[: h // sy * sy, : w // sx * sx] = flag.reshape(h // sy * sy, w // sx * sx)
    destination = grid.flatten().nonzero().flatten()
    source = (grid.flatten() == 0).nonzero().flatten()
    removed = min(int(count * spec.ratio), len(source))
    if len(destination) == 0 or removed == 0:
        return (lambda x: x), (lambda x: x)
    unit = F.normalize(tokens, dim=-1)
    best, nearest = (unit[:, source] @ unit[:, destination].transpose(1, 2)).max(dim=-1)
    order = best.argsort(dim=-1, descending=True)
    merged, kept = order[:, :removed, None], order[:, removed:, None]
    target = nearest[..., None].gather(1, merged)

    def merge(x: torch.Tensor) -> torch.Tensor:
        c = x.shape[-1]
        src, dst = x[:, source], x[:, destination]
        unmerged = src.gather(1, kept.expand(-1, -1, c))
        dst = dst.scatter_reduce(1, target.expand(-1, -1, c), src.gather(1, merged.expand(-1, -1, c)), reduce="mean")
        return torch.cat([unmerged, dst], dim=1)

    def unmerge(x: torch.Tensor) -> torch.Tensor:
        c = x.shape[-1]
        unmerged, dst = x[:, : kept.shape[1]], x[:, kept.shape[1] :]
        out = x.new_zeros(batch, count, c)
        out[:, destination] = dst
        out.scatter_(1, source[kept[..., 0]][..., None].expand(-1, -1, c), unmerged)
        out.scatter_(1, source[merged[..., 0]][..., None].expand(-1, -1, c), dst.gather(1, target.expand(-1, -1, c)))
        return out

    return merge, unmerge


def _attention(weights: Weights, name: str, q: torch.Tensor, kv: torch.Tensor, heads: int) -> torch.Tensor:
    def split(x: torch.Tensor, part: str) -> torch.Tensor:
        return (
            F.linear(x, weights[name + part + ".weight"], weights[name + part + ".bias"])
            .unflatten(2, (heads, -1))
            .transpose(1, 2)
        )

    out = F.scaled_dot_product_attention(split(q, "query"), split(kv, "key"), split(kv, "value"))
    out = out.transpose(1, 2).flatten(2)
    return F.linear(out, weights[name + "output.weight"], weights[name + "output.bias"])


def _feed_forward(weights: Weights, name: str, x: torch.Tensor, hw: tuple[int, int]) -> torch.Tensor:
    x = F.linear(x, weights[name + "expand.weight"], weights[name + "expand.bias"])
    grid = x.transpose(1, 2).unflatten(2, hw)
    key = name + "depthwise"
    grid = F.conv2d(grid, weights[key + ".weight"], weights[key + ".bias"], padding=1, groups=grid.shape[1])
    x = F.gelu(grid).flatten(2).transpose(1, 2)
    return F.linear(x, weights[name + "project.weight"], weights[name + "project.bias"])


def _norm(weights: Weights, name: str, x: torch.Tensor) -> torch.Tensor:
    return F.layer_norm(x, x.shape[-1:], weights[name + ".weight"], weights[name + ".bias"], EPS)


def _block(weights: Weights, name: str, x: torch.Tensor) -> torch.Tensor:
    x = F.conv2d(x, weights[name + ".conv.weight"])
    statistics = (weights[f"{name}.norm.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    return F.relu(F.batch_norm(x, *statistics))


def _head(weights: Weights, features: list[torch.Tensor]) -> torch.Tensor:
    size = features[0].shape[2:]
    parts = [
        F.interpolate(_block(weights, f"head.stage_projections.{i}", x), size=size, mode="bilinear")
        for i, x in enumerate(features)
    ]
    x = _block(weights, "head.fusion", torch.cat(parts, dim=1))
    return F.conv2d(x, weights["head.predict.weight"], weights["head.predict.bias"])
