"""The products of sm_75, which has tensor cores for k = 8 only, and C++20."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.plugins.kernels.conftest import host_library
from tests.plugins.kernels.host_kernels import HostKernels
from tests.plugins.kernels.matching import Match, assert_equal_away_from_ties
from tests.plugins.kernels.test_token_match import exact_tokens, random_match
from tests.plugins.native import OTHER


@pytest.fixture(scope="module")
def turing_kernels() -> HostKernels:
    return HostKernels(host_library(OTHER))


@pytest.mark.parametrize(("grid", "channels"), [((20, 24), 96), ((9, 13), 33), ((12, 12), 160)])
def test_match_of_float16(turing_kernels: HostKernels, grid: tuple[int, int], channels: int) -> None:
    match = random_match(grid, (4, 4), channels, batch=2, dtype=torch.float16)
    assert not assert_equal_away_from_ties(match, match.found(turing_kernels))


def test_ties_of_float16(turing_kernels: HostKernels) -> None:
    match = Match(exact_tokens(2, 15 * 15, 40).half(), (15, 15), (2, 2), 100)
    assert np.array_equal(match.found(turing_kernels), match.expected())
