"""TokenUnmerge on the CPU, the GPU's code, against the PyTorch reference: to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.ops.token_unmerge import token_unmerge
from tests.plugins.kernels.host_kernels import HostKernels, InvalidProblemError, place
from tests.plugins.kernels.properties import DTYPES, KERNEL_SETTINGS


def assert_restored(
    kernels: HostKernels, shape: tuple[int, int, int, int], dtype: torch.dtype, residual: bool, misalign: int = 0
) -> None:
    """`shape` is B, N, M, C."""
    batch, num_tokens, num_rows, channels = shape
    generator = torch.Generator().manual_seed(num_tokens)
    rows = torch.randn(batch, num_rows, channels, generator=generator).to(dtype)
    row_of_token = torch.randint(0, num_rows, (batch, num_tokens), generator=generator, dtype=torch.int32)
    addend = torch.randn(batch, num_tokens, channels, generator=generator).to(dtype) if residual else None
    found = kernels.token_unmerge(
        place(rows.numpy(), misalign),
        place(row_of_token.numpy()),
        None if addend is None else place(addend.numpy(), misalign),
    )
    assert np.array_equal(found, token_unmerge(rows, row_of_token, addend).numpy())


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1024, 410, 32), (2, 300, 30, 160), (3, 50, 7, 33), (1, 1, 1, 1)])
def test_equals_the_reference(
    kernels: HostKernels, shape: tuple[int, int, int, int], dtype: torch.dtype, residual: bool
) -> None:
    assert_restored(kernels, shape, dtype, residual)


@settings(KERNEL_SETTINGS, max_examples=25)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 99), st.integers(1, 40), st.sampled_from([1, 3, 4, 8, 20, 24])),
    dtype=st.sampled_from(DTYPES),
    residual=st.booleans(),
)
def test_equals_the_reference_for_any_shape(
    kernels: HostKernels, shape: tuple[int, int, int, int], dtype: torch.dtype, residual: bool
) -> None:
    assert_restored(kernels, shape, dtype, residual)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_that_are_not_aligned(kernels: HostKernels, dtype: torch.dtype, residual: bool) -> None:
    assert_restored(kernels, (2, 40, 13, 16), dtype, residual, misalign=dtype.itemsize)


def test_tokens_without_a_row_are_zero(kernels: HostKernels) -> None:
    """Past the rows of an image lie those of the next one, which are not its own."""
    rows = np.array([[[1.0], [2.0]], [[3.0], [4.0]]], np.float32)
    row_of_token = np.array([[1, -1, 2, 0], [-1, -2, 0, 1]], np.int32)
    residual = np.array([[[10.0], [20.0], [30.0], [40.0]]] * 2, np.float32)
    expected = [2.0, 0.0, 0.0, 1.0, 0.0, 0.0, 3.0, 4.0]
    assert kernels.token_unmerge(rows, row_of_token).flatten().tolist() == expected
    assert kernels.token_unmerge(rows, row_of_token, residual).flatten().tolist() == [
        one + other for one, other in zip(expected, residual.flatten().tolist(), strict=True)
    ]


def test_impossible_problems_are_refused(kernels: HostKernels) -> None:
    with pytest.raises(InvalidProblemError):
        kernels.token_unmerge(np.zeros((1, 2, 0), np.float32), np.zeros((1, 4), np.int32))
