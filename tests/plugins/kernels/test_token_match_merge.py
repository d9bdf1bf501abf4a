"""TokenMatchMerge on the CPU, the GPU's code: the bits that its two parts give one after the other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.ops.launches import MOST_TOKENS_OF_ONE_MATCH
from segpp_deploy.plugin_library.kernels import MATCH_SLOTS
from tests.ops.cases import MatchCase, match_cases
from tests.plugins.kernels.host_kernels import NO_SLOT, HostKernels, InvalidProblemError, place
from tests.plugins.kernels.matching import Match
from tests.plugins.kernels.properties import DTYPES, KERNEL_SETTINGS
from tests.plugins.kernels.test_token_match import exact_tokens, random_match

TURNS = [
    ("", "1"),
    ("", "3"),
    ("1", "1"),
    ("2", "2"),
    ("3", "5"),
    ("4", "400"),
    ("5", "400"),
    ("6", "400"),
    ("7", "400"),
]
"""Orders of the emulation: its seed, and how many blocks run at the same time."""


def assert_same(kernels: HostKernels, match: Match, slot: int = 0, misalign: int = 0) -> None:
    """Compare one launch, or what takes its place, with the calls of both ops."""
    tokens = place(match.tokens.numpy(), misalign)
    problem = (match.grid, match.stride, match.num_removed)
    rows = kernels.token_match(tokens, *problem, slot=NO_SLOT)
    expected = (rows, *kernels.token_merge_with_size(tokens, rows, match.num_rows, misalign))
    for found, other in zip(kernels.token_match_merge(tokens, *problem, slot, misalign), expected, strict=True):
        assert found.tobytes() == other.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("grid", "stride", "channels", "ratio", "batch"),
    [
        ((32, 32), (2, 2), 32, 0.6, 1),  # hq, keys of stage 1 at 1024x1024
        ((24, 32), (4, 4), 64, 0.9, 2),  # fast, stage 2: rows of hundreds of tokens
        ((12, 16), (4, 4), 512, 0.9, 1),  # fast, stage 4: more units in a row than lanes in a warp
        ((15, 22), (4, 3), 40, 0.5, 3),  # ragged in both directions
        ((9, 7), (2, 2), 33, 0.3, 2),  # no vectors of 16 bytes
        ((3, 2), (3, 2), 1, 0.2, 8),  # one destination
        ((32, 64), (8, 8), 16, 0.96, 1),  # the most tokens of one launch
        ((33, 64), (8, 8), 160, 0.9, 2),  # two launches: hq, queries of stage 3
        ((64, 64), (16, 16), 5, 0.99, 1),  # the most of two
    ],
)
def test_is_match_then_merge_in_few_launches(
    kernels: HostKernels,
    grid: tuple[int, int],
    stride: tuple[int, int],
    channels: int,
    ratio: float,
    batch: int,
    dtype: torch.dtype,
) -> None:
    match = random_match(grid, stride, channels, ratio, batch, dtype)
    assert_same(kernels, match)
    before = kernels.launches
    kernels.token_match_merge(place(match.tokens.numpy()), match.grid, match.stride, match.num_removed)
    assert kernels.launches == before + (1 if match.tokens.shape[1] <= MOST_TOKENS_OF_ONE_MATCH else 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("seed", "resident"), TURNS)
@pytest.mark.parametrize(("grid", "removed"), [((23, 19), 350), ((47, 45), 2060)], ids=["one launch", "two"])
def test_any_order_of_blocks_gives_the_same(
    kernels: HostKernels,
    grid: tuple[int, int],
    removed: int,
    seed: str,
    resident: str,
    dtype: torch.dtype,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where blocks that merge start before those that match or select have ended, and wait for them."""
    match = Match(exact_tokens(3, grid[0] * grid[1], 24).to(dtype), grid, (8, 8), removed)
    expected = kernels.token_match_merge(place(match.tokens.numpy()), match.grid, match.stride, match.num_removed)
    monkeypatch.setenv("SEGPP_SIMT_SEED", seed)
    monkeypatch.setenv("SEGPP_SIMT_RESIDENT", resident)
    for _ in range(2):  # the counters are as they should be
        found = kernels.token_match_merge(place(match.tokens.numpy()), match.grid, match.stride, match.num_removed)
        for one, other in zip(found, expected, strict=True):
            assert one.tobytes() == other.tobytes()


@settings(KERNEL_SETTINGS, max_examples=15)
@given(case=match_cases(), dtype=st.sampled_from(DTYPES))
def test_is_match_then_merge_for_any_grid(kernels: HostKernels, case: MatchCase, dtype: torch.dtype) -> None:
    assert_same(kernels, Match(case.tokens().to(dtype), case.grid, case.stride, case.num_removed))


@pytest.mark.parametrize(("grid", "batch"), [((65, 64), 1), ((4, 6), 9)], ids=["tokens", "images"])
def test_more_of_them_take_several_launches(kernels: HostKernels, grid: tuple[int, int], batch: int) -> None:
    match = random_match(grid, (8, 8) if batch == 1 else (4, 4), 8, 0.8, batch)
    before = kernels.launches
    kernels.token_match_merge(place(match.tokens.numpy()), match.grid, match.stride, match.num_removed)
    assert kernels.launches > before + 2
    assert_same(kernels, match)


@pytest.mark.parametrize("dtype", DTYPES)
def test_slots_and_calls_without_one(kernels: HostKernels, dtype: torch.dtype) -> None:
    few, many = random_match((8, 8), (2, 2), 16, 0.6, 2, dtype), random_match((15, 17), (2, 2), 16, 0.6, 1, dtype)
    for slot in (0, MATCH_SLOTS - 1, 0, NO_SLOT):
        for match in (few, many, few):
            assert_same(kernels, match, slot)


@pytest.mark.parametrize("dtype", DTYPES)
def test_tokens_that_are_not_aligned(kernels: HostKernels, dtype: torch.dtype) -> None:
    assert_same(kernels, random_match((9, 12), (2, 3), 24, batch=2, dtype=dtype), misalign=dtype.itemsize)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_leave_a_valid_map(kernels: HostKernels, value: float, dtype: torch.dtype) -> None:
    match = random_match((9, 10), (2, 2), 8, ratio=0.3, dtype=dtype)
    match.tokens[0, :30] = value
    rows, _, log_size = kernels.token_match_merge(
        place(match.tokens.numpy()), match.grid, match.stride, match.num_removed
    )
    assert sorted(set(rows[0].tolist())) == list(range(match.num_rows))
    np.testing.assert_allclose(np.exp(log_size[0]), np.bincount(rows[0]), rtol=1e-5)


@pytest.mark.parametrize("num_removed", [0, 13])
def test_impossible_problems_are_refused(kernels: HostKernels, num_removed: int) -> None:
    with pytest.raises(InvalidProblemError):
        kernels.token_match_merge(place(np.zeros((1, 16, 8), np.float32)), (4, 4), (2, 2), num_removed)
    assert kernels.workspace_size("token_match_merge", 1, 4, 4, 8, 2, 2, num_removed) == 0


@pytest.mark.parametrize("slot", [NO_SLOT - 1, MATCH_SLOTS])
def test_a_slot_that_does_not_exist_is_refused(kernels: HostKernels, slot: int) -> None:
    with pytest.raises(InvalidProblemError):
        kernels.token_match_merge(place(np.zeros((1, 16, 8), np.float32)), (4, 4), (2, 2), 1, slot)
