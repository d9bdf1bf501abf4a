"""Bytes and operations of every kernel of the network, float16, one image.

Each kernel reads its inputs once and writes its outputs once; what stays in a cache between kernels still counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING

from segpp_deploy.config import Lowering
from segpp_deploy.model.arch import (
    ARCH_SPECS,
    HEADS,
    MLP_RATIO,
    PATCH_KERNEL,
    SPATIAL_REDUCTION,
    ArchSpec,
    reduced_grid,
    stage_grids,
)
from segpp_deploy.model.plan import (
    BsmMerge,
    Grid,
    MergePlan,
    SideMerge,
    StageMerge,
    backbone_size,
    count_sources,
    resolve_stage,
)
from segpp_deploy.ops.launches import (
    MOST_TOKENS_OF_ONE_MATCH,
    MOST_TOKENS_OF_ONE_MERGE,
    MOST_TOKENS_OF_SELECT_AND_MERGE,
)

if TYPE_CHECKING:  # it loads PyTorch
    from segpp_deploy.model.segformer import ModelSpec

FLOAT = 2  # bytes of a float16
INDEX = 4  # bytes of an int32
BEST_MATCH = 8  # bytes per source between the two halves of a match: float32 similarity, int32 destination
SOFTMAX_OPERATIONS = 5  # per score: maximum, subtract, exponential, sum, scale
DEPTHWISE_TAPS = 9


class Part(Enum):
    """What a kernel belongs to."""

    MATCH = "match"
    MERGE = "merge"
    ATTENTION = "attention"
    UNMERGE = "unmerge"
    REST = "rest of the layer"


MERGING_PARTS = (Part.MATCH, Part.MERGE, Part.UNMERGE)


@dataclass(frozen=True)
class Kernel:
    """Bytes to and from memory, operations on tensor cores and elsewhere; launches: 0 in that of the one before."""

    name: str
    part: Part
    bytes_moved: int
    tensor_operations: int = 0
    vector_operations: int = 0
    launches: int = 1


@dataclass(frozen=True)
class LayerShape:
    """What an encoder layer of a stage works on; `reduction` shrinks both sides of the key/value grid."""

    grid_hw: Grid
    channels: int
    heads: int
    reduction: int

    @property
    def num_tokens(self) -> int:
        """Query tokens before merging."""
        return self.grid_hw[0] * self.grid_hw[1]

    @property
    def num_keys(self) -> int:
        """Key/value tokens before merging."""
        height, width = reduced_grid(self.grid_hw, self.reduction)
        return height * width


def layer_shape(spec: ArchSpec, stage: int, grid_hw: Grid) -> LayerShape:
    """Return the shape of a stage's layers; `stage` counts from 0."""
    return LayerShape(grid_hw, spec.widths[stage], HEADS[stage], SPATIAL_REDUCTION[stage])


def network_kernels(
    spec: ModelSpec, plan: MergePlan, size_hw: tuple[int, int], *, fused: bool, lowering: Lowering
) -> Iterator[Kernel]:
    """Yield the kernels of the folded network, from the picture to the labels.

    Args:
        spec: the network.
        plan: what it merges.
        size_hw: of the picture, in pixels.
        fused: see `layer_kernels`.
        lowering: see `layer_kernels`.

    Raises:
        SegppError: the size is too small for the plan.
    """
    arch = ARCH_SPECS[spec.arch]
    grids = stage_grids(*backbone_size(plan, size_hw))
    channels = (3, *arch.widths)
    for stage, (grid, (inputs, outputs)) in enumerate(zip(grids, pairwise(channels), strict=True)):
        tokens = grid[0] * grid[1]
        yield _linear("patch embedding", Part.REST, tokens, inputs * PATCH_KERNEL[stage] ** 2, outputs)
        yield from [_norm(tokens, outputs)] * 2
        shape = layer_shape(arch, stage, grid)
        merge = resolve_stage(plan.stages[stage], grid, shape.reduction)
        for layer in range(arch.depths[stage]):
            yield from layer_kernels(shape, merge, layer, fused=fused, lowering=lowering)
    yield from _head_kernels(spec, arch, grids)
    pixels, first = size_hw[0] * size_hw[1], grids[0][0] * grids[0][1]
    moved = FLOAT * first * spec.num_outputs + pixels
    yield Kernel("upsample and argmax", Part.REST, moved, vector_operations=8 * pixels * spec.num_outputs)


def layer_kernels(
    shape: LayerShape,
    merge: StageMerge,
    layer: int,
    *,
    fused: bool = True,
    lowering: Lowering = Lowering.PLUGIN,
) -> list[Kernel]:
    """Return the kernels of one layer of the folded network in the order they run.

    Args:
        shape: of the stage's layers.
        merge: what the stage merges.
        layer: number of the layer in its stage, from 0; decides whether it matches.
        fused: attention in one kernel that never writes the scores, or in three that do.
        lowering: match and merge as the plugins' kernels, or as the heaviest of their standard nodes.
    """
    queries = merge.q.num_rows if merge.q else shape.num_tokens
    keys = merge.kv.num_rows if merge.kv else shape.num_keys
    return [
        *_norm_and_reduction(shape),
        *_side_kernels(merge.q, shape.channels, layer, lowering),
        *_side_kernels(merge.kv, shape.channels, layer, lowering),
        *_projections(shape, queries, keys),
        *(_fused_attention if fused else _plain_attention)(shape, queries, keys),
        *_output(shape, merge.q, queries),
        *_feed_forward(shape),
    ]


def match_kernels(merge: BsmMerge, channels: int) -> list[Kernel]:
    """Tile-wise similarity with a running maximum, and the selection of what merges: of few tokens in one launch."""
    destinations, sources = count_sources(merge.grid_hw, merge.stride_yx)
    tokens = merge.num_tokens
    similarity = Kernel(
        "similarity",
        Part.MATCH,
        FLOAT * tokens * channels + BEST_MATCH * sources,
        2 * sources * destinations * channels,
        2 * tokens * channels + 2 * sources * destinations,  # norms; compare and keep
    )
    select = Kernel("select", Part.MATCH, BEST_MATCH * sources + INDEX * tokens)
    if tokens <= MOST_TOKENS_OF_ONE_MATCH:
        return [replace(similarity, bytes_moved=similarity.bytes_moved + select.bytes_moved)]
    return [similarity, select]


def merge_kernels(merge: BsmMerge, channels: int) -> list[Kernel]:
    """The mean of the members of each row; of many tokens the members are put in order first."""
    tokens, rows = merge.num_tokens, merge.num_rows
    values, operations = FLOAT * (tokens + rows) * channels, (tokens + rows) * channels
    if tokens <= MOST_TOKENS_OF_ONE_MERGE:
        return [Kernel("mean", Part.MERGE, values + INDEX * tokens, vector_operations=operations)]
    order = Kernel("order", Part.MERGE, 2 * INDEX * tokens + INDEX * rows)
    return [order, Kernel("mean", Part.MERGE, values + INDEX * (tokens + rows), vector_operations=operations)]


def match_merge_kernels(merge: BsmMerge, channels: int) -> list[Kernel]:
    """A match and the merge by its map: of few tokens the merge is in the launch that selects."""
    means = merge_kernels(merge, channels)
    if merge.num_tokens <= MOST_TOKENS_OF_SELECT_AND_MERGE:
        means = [replace(mean, launches=0) for mean in means]
    return [*match_kernels(merge, channels), *means]


def count_launches(kernels: Iterable[Kernel]) -> int:
    """Return how many launches kernels take."""
    return sum(kernel.launches for kernel in kernels)


def unmerge_kernels(merge: BsmMerge, channels: int) -> list[Kernel]:
    """The gather with the residual in it."""
    tokens, rows = merge.num_tokens, merge.num_rows
    moved = FLOAT * (rows + 2 * tokens) * channels + INDEX * tokens
    return [Kernel("gather and add", Part.UNMERGE, moved, vector_operations=tokens * channels)]


def portable_match_kernels(merge: BsmMerge, channels: int) -> list[Kernel]:
    """The similarities, which are written, and the nearest destination of each source."""
    destinations, sources = count_sources(merge.grid_hw, merge.stride_yx)
    scores = sources * destinations
    gathered = FLOAT * 2 * merge.num_tokens * channels
    return [
        Kernel("similarity", Part.MATCH, gathered + FLOAT * scores, 2 * scores * channels),
        Kernel("nearest", Part.MATCH, FLOAT * scores, vector_operations=scores),
    ]


def portable_merge_kernels(merge: BsmMerge, channels: int) -> list[Kernel]:
    """The members of the destinations' rows as a one-hot matrix, its product with the tokens, and the kept tokens."""
    tokens, rows = merge.num_tokens, merge.num_rows
    destinations, _ = count_sources(merge.grid_hw, merge.stride_yx)
    one_hot = FLOAT * destinations * tokens
    moved = FLOAT * (tokens + destinations) * channels
    return [
        Kernel("members", Part.MERGE, 2 * one_hot, vector_operations=2 * destinations * tokens),
        Kernel("means", Part.MERGE, one_hot + moved, 2 * destinations * tokens * channels),
        Kernel("kept", Part.MERGE, FLOAT * 2 * rows * channels),
    ]


def _side_kernels(merge: SideMerge, channels: int, layer: int, lowering: Lowering) -> list[Kernel]:
    if merge is None:
        return []
    if isinstance(merge, BsmMerge):
        matches = merge.matches_in_layer(layer)
        if lowering is Lowering.PLUGIN:
            return (match_merge_kernels if matches else merge_kernels)(merge, channels)
        means = portable_merge_kernels(merge, channels)
        return [*portable_match_kernels(merge, channels), *means] if matches else means
    tokens = merge.grid_hw[0] * merge.grid_hw[1]
    moved = FLOAT * (tokens + merge.num_rows) * channels
    return [Kernel("average pool", Part.MERGE, moved, vector_operations=tokens * channels)]


def _projections(shape: LayerShape, queries: int, keys: int) -> list[Kernel]:
    return [
        _linear("query", Part.ATTENTION, queries, shape.channels, shape.channels),
        _linear("key", Part.ATTENTION, keys, shape.channels, shape.channels),
        _linear("value", Part.ATTENTION, keys, shape.channels, shape.channels),
    ]


def _fused_attention(shape: LayerShape, queries: int, keys: int) -> list[Kernel]:
    moved = FLOAT * (2 * queries + 2 * keys) * shape.channels
    softmax = SOFTMAX_OPERATIONS * shape.heads * queries * keys
    return [Kernel("attention", Part.ATTENTION, moved, 4 * queries * keys * shape.channels, softmax)]


def _plain_attention(shape: LayerShape, queries: int, keys: int) -> list[Kernel]:
    count = shape.heads * queries * keys
    product, sides = 2 * queries * keys * shape.channels, FLOAT * (queries + keys) * shape.channels
    return [
        Kernel("scores", Part.ATTENTION, sides + FLOAT * count, product),
        Kernel("softmax", Part.ATTENTION, 2 * FLOAT * count, vector_operations=SOFTMAX_OPERATIONS * count),
        Kernel("mix", Part.ATTENTION, sides + FLOAT * count, product),
    ]


def _output(shape: LayerShape, merge: SideMerge, queries: int) -> list[Kernel]:
    """Output projection and residual; with one head folding has moved the projection into the values."""
    tokens, channels = shape.num_tokens, shape.channels
    kernels = []
    if shape.heads > 1:
        residual = tokens if merge is None else 0  # in the epilogue, where nothing has to be restored first
        kernels.append(_linear("output", Part.ATTENTION, queries, channels, channels, added=residual))
    if isinstance(merge, BsmMerge):
        return [*kernels, *unmerge_kernels(merge, channels)]
    if merge is not None:
        kernels.append(Kernel("nearest resize", Part.UNMERGE, FLOAT * (queries + tokens) * channels))
    if merge is not None or shape.heads == 1:
        part = Part.ATTENTION if merge is None else Part.UNMERGE
        kernels.append(Kernel("add", part, FLOAT * 3 * tokens * channels, vector_operations=tokens * channels))
    return kernels


def _norm_and_reduction(shape: LayerShape) -> list[Kernel]:
    kernels = [_norm(shape.num_tokens, shape.channels)]
    if shape.reduction > 1:
        inputs = shape.channels * shape.reduction**2
        kernels += [
            _linear("spatial reduction", Part.REST, shape.num_keys, inputs, shape.channels),
            _norm(shape.num_keys, shape.channels),
        ]
    return kernels


def _feed_forward(shape: LayerShape) -> list[Kernel]:
    tokens, channels, hidden = shape.num_tokens, shape.channels, shape.channels * MLP_RATIO
    depthwise = Kernel(
        "depthwise and GELU",
        Part.REST,
        FLOAT * (2 * tokens + DEPTHWISE_TAPS) * hidden,
        vector_operations=2 * (DEPTHWISE_TAPS + 1) * tokens * hidden,
    )
    return [
        _norm(tokens, channels),
        _linear("expand", Part.REST, tokens, channels, hidden),
        depthwise,
        _linear("project", Part.REST, tokens, hidden, channels, added=tokens),
    ]


def _head_kernels(spec: ModelSpec, arch: ArchSpec, grids: list[Grid]) -> Iterator[Kernel]:
    """Every stage at its own resolution; what is normalised by stage needs one more product."""
    first, hidden = grids[0][0] * grids[0][1], spec.head_channels
    for (height, width), channels in zip(grids, arch.widths, strict=True):
        tokens = height * width
        yield _linear("head: stage", Part.REST, tokens, channels, hidden)
        if spec.normalised_stages:
            yield _linear("head: fusion", Part.REST, tokens, hidden, hidden)
        if tokens != first:
            moved = FLOAT * (tokens + 2 * first) * hidden
            yield Kernel("head: resize and add", Part.REST, moved, vector_operations=8 * first * hidden)
    yield _linear("head: predict", Part.REST, first, hidden, spec.num_outputs)


def _norm(tokens: int, channels: int) -> Kernel:
    return Kernel("norm", Part.REST, 2 * FLOAT * tokens * channels, vector_operations=8 * tokens * channels)


def _linear(name: str, part: Part, tokens: int, inputs: int, outputs: int, added: int = 0) -> Kernel:
    """A product with a weight matrix; `added` tokens of a residual come in on the way out."""
    moved = FLOAT * (tokens * (inputs + outputs) + inputs * outputs + added * outputs)
    return Kernel(name, part, moved, 2 * tokens * inputs * outputs, added * outputs)
