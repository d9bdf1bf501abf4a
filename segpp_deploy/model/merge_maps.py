"""Which tokens a model merged where, on one picture: for looking at, not for computing."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from segpp_deploy.model.arch import SPATIAL_REDUCTION, reduced_grid, stage_grids
from segpp_deploy.model.encoder import EncoderStage
from segpp_deploy.model.merging import StageMaps
from segpp_deploy.model.plan import BsmMerge, PoolMerge, resolve_stage
from segpp_deploy.model.segformer import SegFormer, shrink_image


@dataclass(frozen=True)
class MergeMap:
    """One side of one stage.

    Args:
        stage: from 1.
        side: "q" or "kv".
        row_of_token: int [h, w]: tokens with the same number were one in attention.
    """

    stage: int
    side: str
    row_of_token: torch.Tensor

    @property
    def num_rows(self) -> int:
        """Tokens after merging."""
        return int(self.row_of_token.max()) + 1


def find_merge_maps(model: SegFormer, image: torch.Tensor) -> tuple[MergeMap, ...]:
    """Return what each stage merges of a normalised picture [1, 3, H, W], in its last layer; sides that merge only.

    Example:
        >>> from segpp_deploy.config import Arch, Preset
        >>> from segpp_deploy.model.plan import PRESETS
        >>> from segpp_deploy.model.segformer import ModelSpec, build_segformer
        >>> model = build_segformer(ModelSpec(Arch.B0, 2), PRESETS[Preset.POOL_2X2])
        >>> [(one.stage, one.side, one.num_rows) for one in find_merge_maps(model, torch.zeros(1, 3, 64, 64))]
        [(1, 'q', 64), (2, 'q', 16), (3, 'q', 4), (4, 'q', 1)]
    """
    found: list[MergeMap] = []
    feature = shrink_image(image, model.plan)
    grids = stage_grids(int(feature.shape[2]), int(feature.shape[3]))
    for index, (stage, spec) in enumerate(zip(model.encoder.stages, model.plan.stages, strict=True)):
        assert isinstance(stage, EncoderStage)
        maps = StageMaps()
        with torch.inference_mode():
            feature = stage(feature, spec, maps)
        merge = resolve_stage(spec, grids[index], SPATIAL_REDUCTION[index])
        kv_grid = reduced_grid(grids[index], SPATIAL_REDUCTION[index])
        for side, resolved, matched, grid in (
            ("q", merge.q, maps.q, grids[index]),
            ("kv", merge.kv, maps.kv, kv_grid),
        ):
            if resolved is not None:
                found.append(MergeMap(index + 1, side, _rows(resolved, matched).reshape(grid)))
    return tuple(found)


def _rows(merge: BsmMerge | PoolMerge, matched: torch.Tensor | None) -> torch.Tensor:
    """Return the row of each token."""
    if isinstance(merge, BsmMerge):
        assert matched is not None
        return matched[0]
    (height, width), (stride_y, stride_x) = merge.grid_hw, merge.stride_yx
    rows, columns = torch.arange(height)[:, None] // stride_y, torch.arange(width)[None] // stride_x
    return rows * merge.pooled_hw[1] + columns
