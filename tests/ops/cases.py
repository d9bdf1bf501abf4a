"""Inputs that the tests of several ops share: grids, strides, ties."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import strategies as st

from segpp_deploy.model.plan import count_sources


@dataclass(frozen=True)
class MatchCase:
    grid: tuple[int, int]
    stride: tuple[int, int]
    num_removed: int
    batch: int
    channels: int
    seed: int
    ties: bool

    @property
    def num_tokens(self) -> int:
        return self.grid[0] * self.grid[1]

    @property
    def num_rows(self) -> int:
        return self.num_tokens - self.num_removed

    def tokens(self) -> torch.Tensor:
        """Random tokens [B, N, C]. With ties: copies of a few unit or zero vectors, whose products are exact."""
        generator = torch.Generator().manual_seed(self.seed)
        shape = (self.batch, self.num_tokens, self.channels)
        if not self.ties:
            return torch.randn(shape, generator=generator)
        kind = torch.randint(0, self.channels + 1, shape[:2], generator=generator)
        return torch.eye(self.channels + 1)[kind][..., : self.channels]  # the last kind is the zero token


@st.composite
def match_cases(draw: st.DrawFn) -> MatchCase:
    stride = (draw(st.integers(1, 4)), draw(st.integers(2, 4)))
    grid = (draw(st.integers(stride[0], 11)), draw(st.integers(stride[1], 11)))
    _, sources = count_sources(grid, stride)
    return MatchCase(
        grid=grid,
        stride=stride,
        num_removed=draw(st.integers(1, sources)),
        batch=draw(st.integers(1, 3)),
        channels=draw(st.sampled_from([3, 8, 20])),  # one channel is all near-ties: every cosine is 1 or -1
        seed=draw(st.integers(0, 2**20)),
        ties=draw(st.booleans()),
    )
