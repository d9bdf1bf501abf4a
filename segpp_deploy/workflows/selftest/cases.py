"""What `selftest` computes with each custom op: shapes that meet every path of the kernels, and inputs for them.

Kernels and reference may round differently, so inputs are made such that rounding decides nothing: either clear of
ties, or exact ties whose products have no rounding at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from segpp_deploy.model.plan import count_sources
from segpp_deploy.ops.declaration import OpDeclaration
from segpp_deploy.ops.token_match import TOKEN_MATCH, destination_mask
from segpp_deploy.ops.token_match_merge import TOKEN_MATCH_MERGE
from segpp_deploy.ops.token_merge import TOKEN_MERGE
from segpp_deploy.ops.token_merge_with_size import TOKEN_MERGE_WITH_SIZE
from segpp_deploy.ops.token_unmerge import TOKEN_UNMERGE
from segpp_deploy.ops.upsample_argmax import UPSAMPLE_ARGMAX

Array = NDArray[Any]

_CUT_WINDOW = 0.02  # share of the sources around the wanted cut in which the widest gap is looked for
_LEAST_SHARE, _MOST_SHARE = 0.4, 0.9  # of a source's own destination in its direction


@dataclass(frozen=True)
class OpInputs:
    """One call of an op: inputs and attributes in the order of its declaration."""

    tensors: tuple[Array, ...]
    attributes: Mapping[str, int]


class OpCase(Protocol):
    """One op with one shape."""

    @property
    def op(self) -> OpDeclaration:
        """The op's declaration."""

    @property
    def is_large(self) -> bool:
        """Whether it is too much for the emulation on the CPU."""

    def make_inputs(self, dtype: str) -> OpInputs:
        """Return the inputs with float tensors of type `dtype`, always the same ones."""


@dataclass(frozen=True)
class Tokens:
    """A batch of token grids.

    Args:
        grid_hw: rows and columns.
        stride_yx: of a cell.
        channels: of a token.
        ratio: the share of tokens that merges.
        batch: images.
        ties: copies of a few unit and zero vectors, instead of tokens whose similarities are all well apart.
    """

    grid_hw: tuple[int, int]
    stride_yx: tuple[int, int]
    channels: int
    ratio: float
    batch: int = 1
    ties: bool = False

    def __str__(self) -> str:
        (height, width), (cell_h, cell_w) = self.grid_hw, self.stride_yx
        ties = ", ties" if self.ties else ""
        return f"{height}x{width} tokens, cells {cell_h}x{cell_w}, {self.channels} channels, batch {self.batch}{ties}"

    @property
    def num_tokens(self) -> int:
        """N."""
        return self.grid_hw[0] * self.grid_hw[1]

    def make(self, dtype: str) -> tuple[Array, int]:
        """Return tokens [B, N, C] and how many sources merge: where no rounding could change which ones."""
        random = np.random.default_rng(_seed(self.grid_hw, self.channels, self.batch))
        wanted = min(max(int(self.num_tokens * self.ratio), 1), count_sources(self.grid_hw, self.stride_yx)[1])
        if self.ties:
            kinds = np.vstack([np.eye(self.channels), np.zeros(self.channels)])
            return kinds[random.integers(0, len(kinds), (self.batch, self.num_tokens))].astype(dtype), wanted
        tokens = self._make_clear(random).astype(dtype)
        return tokens, self._find_clear_cut(tokens, wanted)

    def _make_clear(self, random: np.random.Generator) -> Array:
        """Every source leans towards one destination, each to another degree; no two tokens have one length."""
        is_destination = self._is_destination()
        shape = (self.batch, self.num_tokens, self.channels)
        directions = random.standard_normal(shape)
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        destinations, sources = np.flatnonzero(is_destination), np.flatnonzero(~is_destination)
        tokens = directions.copy()
        for image in range(self.batch):
            shares = random.permutation(np.linspace(_LEAST_SHARE, _MOST_SHARE, len(sources)))[:, None]
            own = directions[image, random.choice(destinations, len(sources))]
            tokens[image, sources] = shares * own + (1 - shares) * directions[image, sources]
        lengths: Array = tokens * random.uniform(0.5, 2.0, (*shape[:2], 1))
        return lengths

    def _find_clear_cut(self, tokens: Array, wanted: int) -> int:
        """Return the number near `wanted` with the widest gap between what merges and what stays, over all images."""
        best = np.sort(self.similarities(tokens).max(axis=-1), axis=-1)[:, ::-1]
        gaps = (best[:, :-1] - best[:, 1:]).min(axis=0)  # gaps[i]: if i + 1 sources merge
        reach = max(2, int(len(gaps) * _CUT_WINDOW))
        first = max(0, wanted - 1 - reach)
        return first + 1 + int(gaps[first : wanted + reach].argmax()) if len(gaps) else wanted

    def similarities(self, tokens: Array) -> Array:
        """Return the cosine of every source with every destination [B, S, D] in float64."""
        wide = tokens.astype(np.float64)
        unit = wide / np.maximum(np.linalg.norm(wide, axis=-1, keepdims=True), 1e-12)
        is_destination = self._is_destination()
        cosines: Array = unit[:, ~is_destination] @ unit[:, is_destination].transpose(0, 2, 1)
        return cosines

    def _is_destination(self) -> Array:
        mask: Array = destination_mask(*self.grid_hw, *self.stride_yx).numpy()
        return mask


@dataclass(frozen=True)
class MatchCase:
    """TokenMatch on given tokens, or TokenMatchMerge."""

    tokens: Tokens
    is_large: bool = False
    op: OpDeclaration = TOKEN_MATCH

    def __str__(self) -> str:
        return str(self.tokens)

    def make_inputs(self, dtype: str) -> OpInputs:
        """Return tokens and the integers of the match."""
        tokens, num_removed = self.tokens.make(dtype)
        count = num_removed if self.op is TOKEN_MATCH else self.tokens.num_tokens - num_removed
        values = (*self.tokens.grid_hw, *self.tokens.stride_yx, count)
        return OpInputs((tokens,), dict(zip(self.op.attributes, values, strict=True)))


@dataclass(frozen=True)
class MergeCase:
    """TokenMerge, or TokenMergeWithSize, of random tokens into rows of very different sizes."""

    num_tokens: int
    num_rows: int
    channels: int
    batch: int = 1
    is_large: bool = False
    op: OpDeclaration = TOKEN_MERGE

    def __str__(self) -> str:
        return f"{self.num_tokens} tokens to {self.num_rows} rows, {self.channels} channels, batch {self.batch}"

    def make_inputs(self, dtype: str) -> OpInputs:
        """Return tokens and the row of each."""
        random = np.random.default_rng(_seed((self.num_tokens, self.num_rows), self.channels, self.batch))
        tokens = random.standard_normal((self.batch, self.num_tokens, self.channels)).astype(dtype)
        rows = make_rows(random, self.batch, self.num_tokens, self.num_rows)
        return OpInputs((tokens, rows), {"num_rows": self.num_rows})


@dataclass(frozen=True)
class UnmergeCase:
    """TokenUnmerge with or without the residual."""

    num_tokens: int
    num_rows: int
    channels: int
    batch: int = 1
    has_residual: bool = True
    is_large: bool = False
    op: OpDeclaration = TOKEN_UNMERGE

    def __str__(self) -> str:
        residual = "residual" if self.has_residual else "no residual"
        sizes = f"{self.num_rows} rows to {self.num_tokens} tokens"
        return f"{sizes}, {self.channels} channels, batch {self.batch}, {residual}"

    def make_inputs(self, dtype: str) -> OpInputs:
        """Return rows, the row of each token, and the residual if there is one."""
        random = np.random.default_rng(_seed((self.num_tokens, self.num_rows), self.channels, self.batch))
        values = random.standard_normal((self.batch, self.num_rows, self.channels)).astype(dtype)
        rows = make_rows(random, self.batch, self.num_tokens, self.num_rows)
        residual = random.standard_normal((self.batch, self.num_tokens, self.channels)).astype(dtype)
        return OpInputs((values, rows, residual) if self.has_residual else (values, rows), {})


@dataclass(frozen=True)
class UpsampleCase:
    """UpsampleArgmax; with ties the logits are small integers, which interpolation by a power of two keeps exact."""

    classes: int
    in_hw: tuple[int, int]
    out_hw: tuple[int, int]
    batch: int = 1
    ties: bool = False
    is_large: bool = False
    op: OpDeclaration = UPSAMPLE_ARGMAX

    def __str__(self) -> str:
        (height, width), (out_height, out_width) = self.in_hw, self.out_hw
        ties = ", ties" if self.ties else ""
        return f"{self.classes} classes, {height}x{width} to {out_height}x{out_width}, batch {self.batch}{ties}"

    def make_inputs(self, dtype: str) -> OpInputs:
        """Return logits and the size of the labels."""
        random = np.random.default_rng(_seed(self.in_hw, self.classes, self.batch))
        shape = (self.batch, self.classes, *self.in_hw)
        logits = random.integers(0, 3, shape) if self.ties else random.standard_normal(shape)
        return OpInputs((logits.astype(dtype),), dict(zip(self.op.attributes, self.out_hw, strict=True)))


def make_rows(random: np.random.Generator, batch: int, num_tokens: int, num_rows: int) -> Array:
    """Return the row of every token [B, N] int32: every row is hit, the first one by many tokens."""
    first = max(1, num_rows // 4)  # half of the other tokens goes there, so that rows differ in size
    extra = num_tokens - num_rows
    rows = []
    for _ in range(batch):
        highest = np.where(random.random(extra) < 0.5, first, num_rows)
        others = random.integers(0, highest)
        rows.append(random.permutation(np.concatenate([np.arange(num_rows), others])))
    return np.stack(rows).astype(np.int32)


def _seed(sizes: tuple[int, int], channels: int, batch: int) -> tuple[int, ...]:
    return (*sizes, channels, batch)


CASES: tuple[OpCase, ...] = (
    MatchCase(Tokens((8, 8), (2, 2), 32, ratio=0.6)),
    MatchCase(Tokens((7, 9), (4, 4), 20, ratio=0.8, batch=3)),  # a ragged border, channels that no vector divides
    MatchCase(Tokens((1, 13), (1, 2), 9, ratio=0.3)),
    MatchCase(Tokens((8, 8), (4, 4), 8, ratio=0.7, batch=9)),  # more images than are matched in one launch
    MatchCase(Tokens((16, 24), (2, 2), 64, ratio=0.6, batch=2)),
    MatchCase(Tokens((23, 30), (4, 4), 160, ratio=0.9)),
    MatchCase(Tokens((9, 10), (2, 2), 8, ratio=0.5, batch=3, ties=True)),
    MatchCase(Tokens((12, 12), (4, 4), 3, ratio=0.8, ties=True)),
    MatchCase(Tokens((6, 5), (2, 3), 16, ratio=1.0, ties=True)),  # all sources merge
    MatchCase(Tokens((32, 64), (2, 2), 128, ratio=0.6, batch=2), is_large=True),  # the most tokens of one launch
    MatchCase(Tokens((64, 128), (4, 4), 320, ratio=0.8), is_large=True),  # stage 3 of B5 at 1024x2048
    MatchCase(Tokens((64, 64), (4, 4), 160, ratio=0.9, batch=3), is_large=True),
    MatchCase(Tokens((8, 8), (2, 2), 32, ratio=0.6), op=TOKEN_MATCH_MERGE),
    MatchCase(Tokens((7, 9), (4, 4), 20, ratio=0.8, batch=3), op=TOKEN_MATCH_MERGE),
    MatchCase(Tokens((8, 8), (4, 4), 8, ratio=0.7, batch=9), op=TOKEN_MATCH_MERGE),  # more than in one launch
    MatchCase(Tokens((23, 30), (4, 4), 160, ratio=0.9), op=TOKEN_MATCH_MERGE),
    MatchCase(Tokens((9, 10), (2, 2), 8, ratio=0.5, batch=3, ties=True), op=TOKEN_MATCH_MERGE),
    MatchCase(Tokens((47, 45), (8, 8), 32, ratio=0.9), op=TOKEN_MATCH_MERGE),  # in two launches
    MatchCase(Tokens((32, 32), (2, 2), 64, ratio=0.6, batch=8), is_large=True, op=TOKEN_MATCH_MERGE),
    MatchCase(Tokens((64, 64), (4, 4), 160, ratio=0.8, batch=2), is_large=True, op=TOKEN_MATCH_MERGE),
    MatchCase(Tokens((32, 64), (4, 4), 512, ratio=0.9), is_large=True, op=TOKEN_MATCH_MERGE),
    MergeCase(64, 26, 32),
    MergeCase(8200, 40, 1),  # more tokens than are merged in one launch
    MergeCase(63, 13, 20, batch=3),
    MergeCase(17, 17, 8),
    MergeCase(200, 1, 9),
    MergeCase(8192, 1639, 320, is_large=True),
    MergeCase(16384, 3277, 320, is_large=True),
    MergeCase(64, 26, 32, op=TOKEN_MERGE_WITH_SIZE),
    MergeCase(63, 13, 20, batch=3, op=TOKEN_MERGE_WITH_SIZE),
    MergeCase(200, 1, 9, op=TOKEN_MERGE_WITH_SIZE),
    MergeCase(8192, 1639, 320, is_large=True, op=TOKEN_MERGE_WITH_SIZE),
    UnmergeCase(64, 26, 32),
    UnmergeCase(63, 13, 20, batch=3),
    UnmergeCase(63, 13, 9, batch=2, has_residual=False),
    UnmergeCase(8192, 1639, 320, is_large=True),
    UpsampleCase(19, (16, 16), (64, 64)),
    UpsampleCase(5, (7, 5), (13, 33), batch=3),
    UpsampleCase(4, (6, 8), (12, 32), batch=2, ties=True),
    UpsampleCase(1, (4, 4), (16, 16)),
    UpsampleCase(150, (128, 256), (512, 1024), is_large=True),
)
"""Every case; each runs in every float type of its op."""
