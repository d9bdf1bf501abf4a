"""TokenMerge on the CPU, the GPU's code, against the PyTorch reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.ops.token_merge import token_merge
from segpp_deploy.ops.token_merge_with_size import token_merge_with_size
from tests.plugins.kernels.host_kernels import HostKernels, InvalidProblemError, place
from tests.plugins.kernels.properties import DTYPES, KERNEL_SETTINGS

Array = npt.NDArray[Any]
TOLERANCE = {torch.float32: 1e-5, torch.float16: 2e-3}
NUM_PARTS = 8  # warps that share a row


@dataclass(frozen=True)
class MergeCase:
    batch: int
    num_tokens: int
    num_rows: int
    channels: int
    seed: int = 0

    def tokens(self, dtype: torch.dtype) -> torch.Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        return torch.randn(self.batch, self.num_tokens, self.channels, generator=generator).to(dtype)

    def row_of_token(self) -> torch.Tensor:
        """Every row is hit, in any order; rows are as unequal as they come."""
        generator = torch.Generator().manual_seed(self.seed)
        shape = (self.batch, self.num_tokens)
        rows = (torch.rand(shape, generator=generator).pow(3) * self.num_rows).to(torch.int32)
        places = torch.rand(shape, generator=generator).argsort(dim=1)[:, : self.num_rows]
        return rows.scatter_(1, places, torch.arange(self.num_rows, dtype=torch.int32).expand(self.batch, -1))


def assert_merged(kernels: HostKernels, case: MergeCase, dtype: torch.dtype, misalign: int = 0) -> None:
    tokens, rows = case.tokens(dtype), case.row_of_token()
    found = kernels.token_merge(place(tokens.numpy(), misalign), place(rows.numpy()), case.num_rows, misalign)
    expected = token_merge(tokens, rows, case.num_rows)
    torch.testing.assert_close(torch.from_numpy(found.copy()), expected, atol=TOLERANCE[dtype], rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "case",
    [
        MergeCase(1, 1024, 410, 32),  # hq, stage 1 at 1024x1024
        MergeCase(2, 1024, 103, 64),  # fast, stage 2
        MergeCase(2, 300, 290, 160),
        MergeCase(1, 100, 20, 512),
        MergeCase(3, 67, 11, 5),  # no vectors of 16 bytes
        MergeCase(1, 1, 1, 1),
        MergeCase(2, 40, 40, 8),
        MergeCase(1, 8192, 60, 3),  # the most of one launch
        MergeCase(2, 8193, 60, 3),
        MergeCase(1, 8200, 33, 40),
    ],
    ids=str,
)
def test_equals_the_reference(kernels: HostKernels, case: MergeCase, dtype: torch.dtype) -> None:
    assert_merged(kernels, case, dtype)


@st.composite
def merge_cases(draw: st.DrawFn) -> MergeCase:
    num_tokens = draw(st.integers(1, 150))
    return MergeCase(
        batch=draw(st.integers(1, 3)),
        num_tokens=num_tokens,
        num_rows=draw(st.integers(1, num_tokens)),
        channels=draw(st.sampled_from([1, 3, 4, 8, 20, 24])),
        seed=draw(st.integers(0, 2**20)),
    )


@settings(KERNEL_SETTINGS, max_examples=25)
@given(case=merge_cases(), dtype=st.sampled_from(DTYPES))
def test_equals_the_reference_for_any_map(kernels: HostKernels, case: MergeCase, dtype: torch.dtype) -> None:
    assert_merged(kernels, case, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_that_are_not_aligned(kernels: HostKernels, dtype: torch.dtype) -> None:
    assert_merged(kernels, MergeCase(2, 60, 17, 16), dtype, misalign=dtype.itemsize)


@pytest.mark.parametrize(("num_tokens", "num_rows"), [(300, 31), (300, 32), (300, 33), (300, 3000), (9000, 95)])
def test_rows_of_many_blocks(kernels: HostKernels, num_tokens: int, num_rows: int) -> None:
    """A block lists 32 rows, and finds where it starts by itself. Most of 3000 rows are empty, so zero."""
    tokens = np.arange(1, num_tokens + 1, dtype=np.float32).reshape(1, num_tokens, 1)
    rows = np.random.default_rng(0).choice(num_rows, (1, num_tokens)).astype(np.int32)
    rows[0, :3] = (0, num_rows - 1, num_rows - 1)
    merged = kernels.token_merge(place(tokens), place(rows), num_rows)[0, :, 0]
    count = np.bincount(rows[0], minlength=num_rows)
    expected = np.bincount(rows[0], tokens[0, :, 0], num_rows) / np.maximum(count, 1)
    np.testing.assert_allclose(merged, expected, rtol=1e-6)


@pytest.mark.parametrize("num_tokens", [5, 9000])
def test_tokens_without_a_row_are_left_out(kernels: HostKernels, num_tokens: int) -> None:
    tokens, rows = np.ones((1, num_tokens, 1), np.float32), np.full((1, num_tokens), -1, np.int32)
    tokens[0, :5, 0] = 1.0, 2.0, 4.0, 8.0, 16.0
    rows[0, :5] = 0, -1, 3, 0, 7
    assert kernels.token_merge(tokens, rows, 3).flatten().tolist() == [4.5, 0.0, 0.0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("misalign", [0, 1])
@pytest.mark.parametrize(
    "case",
    [
        MergeCase(2, 1024, 103, 64),
        MergeCase(1, 1024, 410, 32),
        MergeCase(3, 67, 11, 5),
        MergeCase(1, 100, 20, 512),  # several blocks share a row
        MergeCase(2, 300, 1, 8),
        MergeCase(2, 8200, 34, 8),
    ],
    ids=str,
)
def test_sizes_equal_the_reference(kernels: HostKernels, case: MergeCase, misalign: int, dtype: torch.dtype) -> None:
    tokens, rows = place(case.tokens(dtype).numpy(), misalign * dtype.itemsize), place(case.row_of_token().numpy())
    merged, log_size = kernels.token_merge_with_size(tokens, rows, case.num_rows, misalign * dtype.itemsize)
    alone = kernels.token_merge(tokens, rows, case.num_rows, misalign * dtype.itemsize)
    assert np.array_equal(merged, alone)  # to the last bit
    _, expected = token_merge_with_size(case.tokens(dtype), case.row_of_token(), case.num_rows)
    np.testing.assert_array_max_ulp(log_size, expected.numpy(), maxulp=1)


def test_a_row_without_tokens_has_no_weight(kernels: HostKernels) -> None:
    tokens, rows = np.ones((2, 3, 1), np.float32), np.array([[0, 0, 2], [1, 1, 1]], np.int32)
    _, log_size = kernels.token_merge_with_size(tokens, rows, 3)
    np.testing.assert_allclose(np.exp(log_size), [[2, 0, 1], [0, 3, 0]], rtol=1e-6)


def test_float16_sums_are_float32(kernels: HostKernels) -> None:
    tokens = np.ones((1, 4096, 1), np.float16)
    assert kernels.token_merge(tokens, np.zeros((1, 4096), np.int32), 1).item() == 1.0  # float16 stops at 2048


@pytest.mark.parametrize("num_tokens", [700, 8193])
@pytest.mark.parametrize("channels", [4, 3])
def test_the_order_of_sums_is_fixed(kernels: HostKernels, channels: int, num_tokens: int) -> None:
    """Warp w sums tokens w, w + 8, .. of a row, then the sums are added in the order of the warps: to the last bit.

    So one launch gives what two do.
    """
    case = MergeCase(2, num_tokens, 9, channels)
    tokens, rows = case.tokens(torch.float32).numpy(), case.row_of_token().numpy()
    found = kernels.token_merge(place(tokens), place(rows), case.num_rows)
    for b, m in np.ndindex(found.shape[:2]):
        members = tokens[b, rows[b] == m]
        parts = [_sum_in_order(members[w::NUM_PARTS]) for w in range(min(NUM_PARTS, len(members)))]
        assert found[b, m].tolist() == (_sum_in_order(np.stack(parts)) / np.float32(len(members))).tolist()


def _sum_in_order(values: Array) -> Array:
    total: Array = np.zeros_like(values[0])
    for value in values:
        total = total + value
    return total


def test_impossible_problems_are_refused(kernels: HostKernels) -> None:
    tokens, rows = np.zeros((1, 4, 2), np.float32), np.zeros((1, 4), np.int32)
    with pytest.raises(InvalidProblemError):
        kernels.token_merge(tokens, rows, 0)
    with pytest.raises(InvalidProblemError):
        kernels.token_merge(np.zeros((0, 4, 2), np.float32), rows, 2)
    with pytest.raises(InvalidProblemError):
        kernels.token_merge_with_size(tokens, rows, 0)
    assert kernels.workspace_size("token_merge", 1, 4, 0, 2) == 0
    assert kernels.workspace_size("token_merge", 2**17, 4, 2, 2) == 0  # more images than a grid has layers


@KERNEL_SETTINGS
@given(batch=st.integers(1, 300), num_tokens=st.integers(8193, 20000))
def test_workspace_serves_smaller_batches(kernels: HostKernels, batch: int, num_tokens: int) -> None:
    assert kernels.workspace_size("token_merge", batch, num_tokens % 8193, 1, 8) == 0  # one launch needs none
    sizes = [kernels.workspace_size("token_merge", b, num_tokens, num_tokens, 8) for b in (batch, batch + 1)]
    assert 0 < sizes[0] <= sizes[1]
    assert sizes[0] % 256 == 0
