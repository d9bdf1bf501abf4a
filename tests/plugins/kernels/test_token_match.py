"""TokenMatch on the CPU, the GPU's code, against the PyTorch reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.model.plan import count_sources
from segpp_deploy.plugin_library.kernels import MATCH_SLOTS
from tests.ops.cases import MatchCase, match_cases
from tests.plugins.kernels.host_kernels import NO_SLOT, HostKernels, InvalidProblemError, place
from tests.plugins.kernels.matching import Match, assert_equal_away_from_ties
from tests.plugins.kernels.properties import DTYPES, KERNEL_SETTINGS


def random_match(
    grid: tuple[int, int],
    stride: tuple[int, int],
    channels: int,
    ratio: float = 0.8,
    batch: int = 1,
    dtype: torch.dtype = torch.float32,
) -> Match:
    generator = torch.Generator().manual_seed(channels)
    tokens = torch.randn(batch, grid[0] * grid[1], channels, generator=generator).to(dtype)
    _, sources = count_sources(grid, stride)
    return Match(tokens, grid, stride, max(1, min(sources, int(len(tokens[0]) * ratio))))


def exact_tokens(batch: int, num_tokens: int, channels: int, seed: int = 0) -> torch.Tensor:
    """Tokens with four entries of +-2^k each, or none: every cosine is a multiple of 1/4, with no rounding anywhere."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, num_tokens)
    places = torch.rand(*shape, channels, generator=generator).argsort(dim=-1)[..., :4]
    signs = torch.randint(0, 2, (*shape, 4), generator=generator) * 2.0 - 1.0
    scale = 2.0 ** torch.randint(-3, 4, (*shape, 1), generator=generator)
    is_zero = torch.rand(*shape, 1, generator=generator) < 0.1
    values = torch.where(is_zero, 0.0, signs * scale)
    return torch.zeros(*shape, channels).scatter_(-1, places, values)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("grid", "stride", "channels", "ratio", "batch"),
    [
        ((32, 32), (2, 2), 32, 0.6, 1),  # hq, stage 1 at 1024x1024: several tiles and splits
        ((24, 32), (4, 4), 64, 0.9, 2),  # fast, stage 2
        ((16, 16), (4, 4), 160, 0.8, 2),  # hq, stage 3 of a small picture
        ((12, 16), (4, 4), 512, 0.9, 1),  # fast, stage 4
        ((15, 22), (4, 3), 40, 0.5, 3),  # ragged in both directions
        ((9, 7), (2, 2), 33, 0.3, 2),  # no vectors of 16 bytes
        ((7, 9), (1, 2), 3, 0.4, 1),
        ((3, 2), (3, 2), 1, 0.2, 1),  # one destination
    ],
)
def test_equals_the_reference(
    kernels: HostKernels,
    grid: tuple[int, int],
    stride: tuple[int, int],
    channels: int,
    ratio: float,
    batch: int,
    dtype: torch.dtype,
) -> None:
    match = random_match(grid, stride, channels, ratio, batch, dtype)
    assert not assert_equal_away_from_ties(match, match.found(kernels))


@settings(KERNEL_SETTINGS, max_examples=25)
@given(case=match_cases(), dtype=st.sampled_from(DTYPES))
def test_equals_the_reference_for_any_grid(kernels: HostKernels, case: MatchCase, dtype: torch.dtype) -> None:
    match = Match(case.tokens().to(dtype), case.grid, case.stride, case.num_removed)
    found = match.found(kernels)
    if case.ties:
        assert np.array_equal(found, match.expected())
    else:
        assert_equal_away_from_ties(match, found)


def test_near_ties_are_rare(kernels: HostKernels) -> None:
    met = 0
    for seed in range(40):
        case = MatchCase((7, 8), (2, 2), 30, 1, 16, seed, ties=False)
        match = Match(case.tokens(), case.grid, case.stride, case.num_removed)
        met += assert_equal_away_from_ties(match, match.found(kernels))
    assert met <= 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("num_removed", [1, 100, 333, 400])
def test_ties_are_the_references(kernels: HostKernels, num_removed: int, dtype: torch.dtype) -> None:
    tokens = exact_tokens(2, 23 * 23, 12).to(dtype)
    match = Match(tokens, (23, 23), (2, 2), num_removed)
    assert np.array_equal(match.found(kernels), match.expected())


def test_more_tokens_than_shared_memory_holds(kernels: HostKernels) -> None:
    tokens = exact_tokens(1, 91 * 91, 8)
    match = Match(tokens, (91, 91), (30, 2), 5000)  # every second token of the last row begins a cell that is not whole
    assert match.num_rows + match.num_removed > 8192
    assert np.array_equal(match.found(kernels), match.expected())


@pytest.mark.parametrize("dtype", DTYPES)
def test_equal_destinations_tie_wherever_they_lie(kernels: HostKernels, dtype: torch.dtype) -> None:
    """Each destination is one of three random vectors: only the first copy of each may be chosen."""
    match = random_match((25, 26), (2, 2), 48, dtype=dtype)
    is_destination = [n for n in range(650) if n // 26 % 2 == 0 and n // 26 < 24 and n % 26 % 2 == 0]
    kinds = torch.randint(0, 3, (len(is_destination),), generator=torch.Generator().manual_seed(0))
    match.tokens[0, is_destination] = match.tokens[0, 27:30][kinds]
    rows = match.found(kernels)[0]
    members = np.bincount(rows)[rows[is_destination]]
    first_copies = [kinds.tolist().index(kind) for kind in range(3)]
    assert sorted(np.flatnonzero(members > 1)) == sorted(first_copies)


@pytest.mark.parametrize("dtype", DTYPES)
def test_equal_sources_tie_at_the_cut(kernels: HostKernels, dtype: torch.dtype) -> None:
    """All sources are copies: the first ones merge, wherever in a tile they lie."""
    match = random_match((20, 21), (4, 4), 24, dtype=dtype)
    is_source = [n for n in range(420) if not (n // 21 % 4 == 0 and n % 21 % 4 == 0 and n % 21 < 20)]
    match.tokens[0, is_source] = match.tokens[0, 1].clone()
    (destination,) = Match(match.tokens, (20, 21), (4, 4), 1).found(kernels)[0, 1:2]
    for num_removed in (1, 100, 219, 394):
        rows = Match(match.tokens, (20, 21), (4, 4), num_removed).found(kernels)[0]
        merged = is_source[:num_removed]
        expected = np.ones(420, np.int32)
        expected[merged] = 0
        expected = np.cumsum(expected, dtype=np.int32) - 1
        token_of_destination = np.flatnonzero(np.bincount(rows)[rows] > 1)
        assert len(set(rows[merged].tolist())) == 1, destination
        assert len(token_of_destination) == num_removed + 1
        kept = np.setdiff1d(np.arange(420), merged)
        assert rows[kept].tolist() == expected[kept].tolist()


def test_minus_zero_ties_with_zero(kernels: HostKernels) -> None:
    """A last product that underflows leaves -0 behind; it must not lose against +0."""
    tokens = torch.zeros(1, 4, 16)
    tokens[0, 0, 0] = tokens[0, 1, 1] = tokens[0, 2, 2] = 1.0
    tokens[0, 0, 15], tokens[0, 1, 15] = 2.0**-80, -(2.0**-80)
    match = Match(tokens, (2, 2), (2, 2), 1)
    assert match.expected().tolist() == [[0, 0, 1, 2]]
    assert match.found(kernels).tolist() == [[0, 0, 1, 2]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_zero_tokens_are_similar_to_nothing(kernels: HostKernels, dtype: torch.dtype) -> None:
    tokens = torch.zeros(1, 64, 8, dtype=dtype)
    match = Match(tokens, (8, 8), (2, 2), 20)
    assert np.array_equal(match.found(kernels), match.expected())
    tokens[0, 63, 0] = 1.0
    tokens[0, 54, 0] = -1.0  # a destination that is opposite to the one source that is not zero
    assert np.array_equal(match.found(kernels), match.expected())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_leave_a_valid_map(kernels: HostKernels, value: float, dtype: torch.dtype) -> None:
    """A token of NaNs is the least similar; the rows are complete all the same."""
    match = random_match((9, 10), (2, 2), 8, ratio=0.3, dtype=dtype)
    match.tokens[0, :30] = value
    rows = match.found(kernels)[0]
    assert sorted(set(rows.tolist())) == list(range(match.num_rows))
    match.tokens[...] = value
    rows = match.found(kernels)[0]
    assert sorted(set(rows.tolist())) == list(range(match.num_rows))


def test_nan_sources_merge_last(kernels: HostKernels) -> None:
    match = random_match((8, 8), (2, 2), 8)
    match.tokens[0, 1] = float("nan")
    _, sources = count_sources((8, 8), (2, 2))
    rows = Match(match.tokens, (8, 8), (2, 2), sources - 1).found(kernels)[0]
    assert (rows == rows[1]).sum() == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_tokens_that_are_not_aligned(kernels: HostKernels, dtype: torch.dtype) -> None:
    match = random_match((9, 12), (2, 3), 24, batch=2, dtype=dtype)
    assert np.array_equal(match.found(kernels, misalign=dtype.itemsize), match.expected())


def test_large_values_do_not_overflow(kernels: HostKernels) -> None:
    match = random_match((8, 8), (2, 2), 64, dtype=torch.float16)
    match.tokens.mul_(16384.0)  # squares overflow float16, sums of products too
    assert np.array_equal(match.found(kernels), match.expected())


def test_float16_accumulates_in_float32(kernels: HostKernels) -> None:
    """The destinations differ by one part in 4096 of the sum, which a float16 sum cannot hold."""
    tokens = torch.zeros(1, 8, 512, dtype=torch.float16)
    tokens[0, 1] = 1.0
    tokens[0, 0] = tokens[0, 2] = 1.0
    tokens[0, 0, 100] = 1.125
    match = Match(tokens, (2, 4), (2, 2), 1)
    assert match.found(kernels).tolist() == match.expected().tolist()


def test_many_tokens(kernels: HostKernels) -> None:
    """More tiles than wanted blocks, so one split; more tokens than threads of the selection by far."""
    match = random_match((140, 140), (28, 28), 8, ratio=0.7, dtype=torch.float16)
    found = match.found(kernels)
    assert_equal_away_from_ties(match, found)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("grid", "batch"),
    [((32, 64), 1), ((41, 49), 2), ((8, 9), 8), ((8, 9), 9), ((43, 48), 1)],  # the last two are two launches
)
def test_the_last_block_selects(
    kernels: HostKernels, grid: tuple[int, int], batch: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    match = Match(exact_tokens(batch, grid[0] * grid[1], 8).to(dtype), grid, (4, 4), grid[0] * grid[1] // 2)
    for seed in ("", "1"):  # of the order of blocks; the counters are as they were
        monkeypatch.setenv("SEGPP_SIMT_SEED", seed)
        assert np.array_equal(match.found(kernels), match.expected())


def test_any_slot_gives_the_same(kernels: HostKernels) -> None:
    match = Match(exact_tokens(2, 15 * 17, 8), (15, 17), (2, 2), 100)
    for slot in (0, 1, MATCH_SLOTS - 1, 0):
        rows = kernels.token_match(place(match.tokens.numpy()), match.grid, match.stride, match.num_removed, slot)
        assert np.array_equal(rows, match.expected())


@pytest.mark.parametrize("slot", [NO_SLOT - 1, MATCH_SLOTS])
def test_a_slot_that_does_not_exist_is_refused(kernels: HostKernels, slot: int) -> None:
    with pytest.raises(InvalidProblemError):
        kernels.token_match(place(np.zeros((1, 16, 8), np.float32)), (4, 4), (2, 2), 1, slot)


@pytest.mark.parametrize(
    ("grid", "stride", "num_removed"),
    [
        ((4, 4), (2, 2), 0),
        ((4, 4), (2, 2), 13),  # of 12 sources
        ((4, 4), (5, 2), 1),  # no whole cell
        ((4, 4), (0, 2), 1),
        ((4, -4), (2, 2), 1),
        ((2**20, 2**20), (2, 2), 1),  # more tokens than an int counts
    ],
)
def test_impossible_problems_are_refused(
    kernels: HostKernels, grid: tuple[int, int], stride: tuple[int, int], num_removed: int
) -> None:
    tokens = place(np.zeros((1, 16, 8), np.float32))
    with pytest.raises(InvalidProblemError):
        kernels.token_match(tokens, grid, stride, num_removed)
    assert kernels.workspace_size("token_match", 1, *grid, 8, *stride, num_removed) == 0


@KERNEL_SETTINGS
@given(batch=st.integers(1, 300), side=st.integers(2, 70))
def test_workspace_serves_smaller_batches(kernels: HostKernels, batch: int, side: int) -> None:
    sizes = [kernels.workspace_size("token_match", b, side, side, 8, 2, 2, 1) for b in (batch, batch + 1)]
    assert 0 < sizes[0] <= sizes[1]
    assert sizes[0] % 256 == 0
