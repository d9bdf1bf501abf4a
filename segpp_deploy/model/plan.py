"""Merge plans: what each stage merges, and the integers that follow for a given token grid.

A plan is written with ratios and strides (`MergePlan`); it is resolved once per grid (`resolve_stage`), so that no
graph ever holds float shape arithmetic. Ratios and presets follow the published SegFormer++ configurations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from segpp_deploy import commands
from segpp_deploy.config import Preset
from segpp_deploy.errors import SegppError
from segpp_deploy.model.arch import SPATIAL_REDUCTION, reduced_grid, stage_grids

Grid = tuple[int, int]


@dataclass(frozen=True)
class Bsm:
    """Bipartite soft matching: `ratio` of the tokens is merged into one destination per `stride_yx` cell.

    `match_every` K: match anew in every K-th layer of the stage and reuse the map in between; 0 = once per stage.
    `weighted`: see `StageSpec`.
    """

    ratio: float
    stride_yx: tuple[int, int]
    match_every: int = 1
    weighted: bool = False


@dataclass(frozen=True)
class N1d:
    """Average of `stride` neighbours along the row-major sequence. `weighted`: see `StageSpec`."""

    stride: int
    weighted: bool = False


@dataclass(frozen=True)
class N2d:
    """Average of `stride_yx` neighbours on the grid. `weighted`: see `StageSpec`."""

    stride_yx: tuple[int, int]
    weighted: bool = False


SideSpec = Bsm | N1d | N2d | None


@dataclass(frozen=True)
class StageSpec:
    """The merging of one stage: on the query side, and on the key/value side.

    Where keys are `weighted`, one that stands for n tokens gets + log n on its scores, so that the softmax counts it n
    times ("proportional attention": Bolya et al., "Token Merging: Your ViT But Faster", 2023). Queries have no weight.
    """

    q: SideSpec = None
    kv: SideSpec = None

    def __post_init__(self) -> None:
        """Check what no plan may ask for."""
        if self.q is not None and self.q.weighted:
            raise ValueError("queries have no weight: `weighted` belongs to `kv`")


@dataclass(frozen=True)
class MergePlan:
    """A named plan for the four stages; `downsample` halves the image before the backbone."""

    name: str
    stages: tuple[StageSpec, StageSpec, StageSpec, StageSpec]
    downsample: bool = False


def _staged(name: Preset, early: StageSpec, late: StageSpec, downsample: bool = False) -> MergePlan:
    return MergePlan(str(name), (early, early, late, late), downsample)


def _match_once(plan: MergePlan, name: Preset) -> MergePlan:
    early, _, late, _ = (StageSpec(_once(stage.q), _once(stage.kv)) for stage in plan.stages)
    return _staged(name, early, late)


def _weigh_keys(plan: MergePlan, name: Preset) -> MergePlan:
    """Weigh the keys and match queries once per stage, which costs no accuracy; matching keys once does."""
    early, _, late, _ = (StageSpec(_once(stage.q), _weighted(stage.kv)) for stage in plan.stages)
    return _staged(name, early, late)


def _once(side: SideSpec) -> SideSpec:
    return replace(side, match_every=0) if isinstance(side, Bsm) else side


def _weighted(side: SideSpec) -> SideSpec:
    return None if side is None else replace(side, weighted=True)


_HQ = _staged(Preset.HQ, StageSpec(kv=Bsm(0.6, (2, 2))), StageSpec(q=Bsm(0.8, (4, 4))))
_FAST = _staged(Preset.FAST, StageSpec(kv=Bsm(0.9, (4, 4))), StageSpec(q=Bsm(0.9, (4, 4))))

PRESETS: dict[Preset, MergePlan] = {
    Preset.ORIGINAL: _staged(Preset.ORIGINAL, StageSpec(), StageSpec()),
    Preset.HQ: _HQ,
    Preset.FAST: _FAST,
    Preset.HQ_REUSE: _match_once(_HQ, Preset.HQ_REUSE),
    Preset.FAST_REUSE: _match_once(_FAST, Preset.FAST_REUSE),
    Preset.HQ_PLUS: _weigh_keys(_HQ, Preset.HQ_PLUS),
    Preset.FAST_PLUS: _weigh_keys(_FAST, Preset.FAST_PLUS),
    Preset.POOL_2X2: _staged(Preset.POOL_2X2, StageSpec(q=N2d((2, 2))), StageSpec(q=N2d((2, 2)))),
    Preset.N1D: _staged(Preset.N1D, StageSpec(q=N1d(2)), StageSpec(q=N1d(2))),
    Preset.DOWNSAMPLE: _staged(Preset.DOWNSAMPLE, StageSpec(), StageSpec(), downsample=True),
}


@dataclass(frozen=True)
class BsmMerge:
    """A `Bsm` resolved for a grid: integers only, ready to be op attributes."""

    grid_hw: Grid
    stride_yx: tuple[int, int]
    num_removed: int
    match_every: int
    weighted: bool = False

    @property
    def num_tokens(self) -> int:
        """Tokens before merging."""
        return self.grid_hw[0] * self.grid_hw[1]

    @property
    def num_rows(self) -> int:
        """Tokens after merging."""
        return self.num_tokens - self.num_removed

    def matches_in_layer(self, layer: int) -> bool:
        """Whether layer number `layer` of the stage matches anew, or reuses the last map."""
        return layer == 0 if self.match_every == 0 else layer % self.match_every == 0


@dataclass(frozen=True)
class PoolMerge:
    """An average pool with ceil_mode over the grid; for `n1d` the grid is (1, N)."""

    grid_hw: Grid
    stride_yx: tuple[int, int]
    weighted: bool = False

    @property
    def pooled_hw(self) -> Grid:
        """The grid after pooling."""
        return tuple(-(-n // s) for n, s in zip(self.grid_hw, self.stride_yx, strict=True))  # type: ignore[return-value]

    @property
    def num_rows(self) -> int:
        """Tokens after pooling."""
        return self.pooled_hw[0] * self.pooled_hw[1]

    @property
    def cell_sizes(self) -> tuple[int, ...]:
        """Tokens in each cell, row-major: fewer in the ragged border.

        Example:
            >>> PoolMerge((3, 4), (2, 2)).cell_sizes
            (4, 4, 2, 2)
        """
        heights, widths = (
            [min(stride, length - start) for start in range(0, length, stride)]
            for length, stride in zip(self.grid_hw, self.stride_yx, strict=True)
        )
        return tuple(height * width for height in heights for width in widths)


SideMerge = BsmMerge | PoolMerge | None


@dataclass(frozen=True)
class StageMerge:
    """The resolved merging of one stage."""

    q: SideMerge = None
    kv: SideMerge = None


@dataclass(frozen=True)
class StageTokens:
    """Token counts of one stage before and after merging; `stage` counts from 1."""

    stage: int
    grid: Grid
    q_before: int
    q_after: int
    kv_before: int
    kv_after: int


def count_sources(grid_hw: Grid, stride_yx: tuple[int, int]) -> tuple[int, int]:
    """Return (number of destinations, number of sources) of a grid cut into whole cells.

    Example:
        >>> count_sources((23, 30), (4, 4))
        (35, 655)
    """
    destinations = (grid_hw[0] // stride_yx[0]) * (grid_hw[1] // stride_yx[1])
    return destinations, grid_hw[0] * grid_hw[1] - destinations


def resolve_side(spec: SideSpec, grid_hw: Grid) -> SideMerge:
    """Resolve one side for a token grid (h, w); None means nothing is left to merge.

    Example:
        >>> resolve_side(Bsm(0.9, (4, 4)), (64, 64)).num_rows
        410
        >>> resolve_side(Bsm(0.9, (4, 4)), (3, 3)) is None   # smaller than one cell
        True
    """
    tokens = grid_hw[0] * grid_hw[1]
    if isinstance(spec, Bsm):
        destinations, sources = count_sources(grid_hw, spec.stride_yx)
        removed = min(int(tokens * spec.ratio), sources)
        if destinations == 0 or removed == 0:
            return None
        return BsmMerge(grid_hw, spec.stride_yx, removed, spec.match_every, spec.weighted)
    if isinstance(spec, N1d):
        pool = PoolMerge((1, tokens), (1, spec.stride), spec.weighted)
    elif isinstance(spec, N2d):
        pool = PoolMerge(grid_hw, spec.stride_yx, spec.weighted)
    else:
        return None
    return pool if pool.num_rows < tokens else None


def resolve_stage(spec: StageSpec, grid_hw: Grid, reduction: int) -> StageMerge:
    """Resolve a stage with token grid (h, w) whose keys and values are spatially reduced by `reduction`."""
    return StageMerge(resolve_side(spec.q, grid_hw), resolve_side(spec.kv, reduced_grid(grid_hw, reduction)))


def backbone_size(plan: MergePlan, size_hw: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) in pixels that the backbone sees for an image of `size_hw`.

    Raises:
        SegppError: the size leaves no key/value token in some stage.
    """
    height, width = (side // 2 for side in size_hw) if plan.downsample else size_hw
    for grid, reduction in zip(stage_grids(height, width), SPATIAL_REDUCTION, strict=True):
        if min(reduced_grid(grid, reduction)) == 0:
            raise SegppError(
                f"Images of {size_hw[0]}x{size_hw[1]} pixels are too small for mode {plan.name!r}.",
                "at least one key/value token in every stage: 32 pixels a side (64 with downsample).",
                commands.option("size", "512x1024"),
            )
    return height, width


def count_tokens(plan: MergePlan, size_hw: tuple[int, int]) -> list[StageTokens]:
    """Return the token counts per stage of a plan for an image size in pixels.

    Example:
        >>> [t.q_after for t in count_tokens(PRESETS[Preset.FAST], (1024, 1024))]
        [65536, 16384, 410, 103]
    """
    counts = []
    grids = stage_grids(*backbone_size(plan, size_hw))
    for index, (spec, grid, reduction) in enumerate(zip(plan.stages, grids, SPATIAL_REDUCTION, strict=True)):
        merge = resolve_stage(spec, grid, reduction)
        kv_grid = reduced_grid(grid, reduction)
        q_before, kv_before = grid[0] * grid[1], kv_grid[0] * kv_grid[1]
        counts.append(
            StageTokens(
                stage=index + 1,
                grid=grid,
                q_before=q_before,
                q_after=merge.q.num_rows if merge.q else q_before,
                kv_before=kv_before,
                kv_after=merge.kv.num_rows if merge.kv else kv_before,
            )
        )
    return counts


def explain_plan(plan: MergePlan, size_hw: tuple[int, int]) -> tuple[str, ...]:
    """Return a sentence for every side where the plan asks for merging but the grid leaves nothing to merge.

    Example:
        >>> explain_plan(PRESETS[Preset.FAST], (96, 96))[0]
        'Stage 1, kv: nothing is merged; the 3x3 token grid is too small for the plan.'
    """
    notes = []
    grids = stage_grids(*backbone_size(plan, size_hw))
    for index, (spec, grid, reduction) in enumerate(zip(plan.stages, grids, SPATIAL_REDUCTION, strict=True)):
        merge = resolve_stage(spec, grid, reduction)
        for name, side, resolved, side_grid in (
            ("q", spec.q, merge.q, grid),
            ("kv", spec.kv, merge.kv, reduced_grid(grid, reduction)),
        ):
            if side is not None and resolved is None:
                notes.append(
                    f"Stage {index + 1}, {name}: nothing is merged; the {side_grid[0]}x{side_grid[1]} token grid is "
                    "too small for the plan."
                )
    return tuple(notes)
