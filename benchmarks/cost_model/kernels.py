"""Bytes and operations of every kernel in an encoder layer, float16, one image.

Each kernel reads its inputs once and writes its outputs once; what stays in a cache between kernels still counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from segpp_deploy.model.arch import HEADS, MLP_RATIO, SPATIAL_REDUCTION, ArchSpec, reduced_grid
from segpp_deploy.model.plan import BsmMerge, Grid, SideMerge, StageMerge, count_sources

FLOAT = 2  # bytes of a float16
INDEX = 4  # bytes of an int32
BEST_MATCH = 8  # bytes per source between the two kernels of a match: float32 similarity, int32 destination
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
    """One launch: bytes to and from memory, operations on tensor cores, operations elsewhere."""

    name: str
    part: Part
    bytes_moved: int
    tensor_operations: int = 0
    vector_operations: int = 0


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


def layer_kernels(shape: LayerShape, merge: StageMerge, layer: int, *, fused: bool = True) -> list[Kernel]:
    """Return the kernels of one layer of the folded network in the order they run.

    Args:
        shape: of the stage's layers.
        merge: what the stage merges.
        layer: number of the layer in its stage, from 0; decides whether it matches.
        fused: attention in one kernel that never writes the scores, or in three that do.
    """
    queries = merge.q.num_rows if merge.q else shape.num_tokens
    keys = merge.kv.num_rows if merge.kv else shape.num_keys
    return [
        *_norm_and_reduction(shape),
        *_side_kernels(merge.q, shape.channels, layer),
        *_side_kernels(merge.kv, shape.channels, layer),
        *_projections(shape, queries, keys),
        *(_fused_attention if fused else _plain_attention)(shape, queries, keys),
        *_output(shape, merge.q, queries),
        *_feed_forward(shape),
    ]


def match_kernels(merge: BsmMerge, channels: int) -> list[Kernel]:
    """Tile-wise similarity with a running maximum, and the selection of what merges."""
    destinations, sources = count_sources(merge.grid_hw, merge.stride_yx)
    tokens = merge.num_tokens
    similarity = Kernel(
        "similarity",
        Part.MATCH,
        FLOAT * tokens * channels + BEST_MATCH * sources,
        2 * sources * destinations * channels,
        2 * tokens * channels + 2 * sources * destinations,  # norms; compare and keep
    )
    return [similarity, Kernel("select", Part.MATCH, BEST_MATCH * sources + INDEX * tokens)]


def merge_kernels(merge: BsmMerge, channels: int) -> list[Kernel]:
    """The members of each row in token order, and their mean."""
    tokens, rows = merge.num_tokens, merge.num_rows
    order = Kernel("order", Part.MERGE, 2 * INDEX * tokens + INDEX * rows)
    values = FLOAT * (tokens + rows) * channels
    mean = Kernel("mean", Part.MERGE, values + INDEX * (tokens + rows), vector_operations=(tokens + rows) * channels)
    return [order, mean]


def unmerge_kernels(merge: BsmMerge, channels: int) -> list[Kernel]:
    """The gather with the residual in it."""
    tokens, rows = merge.num_tokens, merge.num_rows
    moved = FLOAT * (rows + 2 * tokens) * channels + INDEX * tokens
    return [Kernel("gather and add", Part.UNMERGE, moved, vector_operations=tokens * channels)]


def _side_kernels(merge: SideMerge, channels: int, layer: int) -> list[Kernel]:
    if merge is None:
        return []
    if isinstance(merge, BsmMerge):
        match = match_kernels(merge, channels) if merge.matches_in_layer(layer) else []
        return [*match, *merge_kernels(merge, channels)]
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


def _norm(tokens: int, channels: int) -> Kernel:
    return Kernel("norm", Part.REST, 2 * FLOAT * tokens * channels, vector_operations=8 * tokens * channels)


def _linear(name: str, part: Part, tokens: int, inputs: int, outputs: int, added: int = 0) -> Kernel:
    """A product with a weight matrix; `added` tokens of a residual come in on the way out."""
    moved = FLOAT * (tokens * (inputs + outputs) + inputs * outputs + added * outputs)
    return Kernel(name, part, moved, 2 * tokens * inputs * outputs, added * outputs)
