"""UpsampleArgmax on the CPU, the GPU's code, against the PyTorch reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from segpp_deploy.ops.upsample_argmax import upsample_argmax
from tests.plugins.kernels.host_kernels import HostKernels, InvalidProblemError, place
from tests.plugins.kernels.properties import DTYPES, KERNEL_SETTINGS

NAN = float("nan")
NEAR_TIE = 1e-5  # of values of order 1: rounding of a position or a sum may decide


def assert_labels(kernels: HostKernels, logits: torch.Tensor, size: tuple[int, int]) -> None:
    """Equal wherever the two largest values are apart, and almost everywhere they are."""
    found = kernels.upsample_argmax(place(logits.numpy()), *size)
    full = F.interpolate(logits.double(), size=size, mode="bilinear", align_corners=False)
    if logits.shape[1] > 1:
        top = full.topk(2, dim=1).values
        is_clear = (top[:, 0] - top[:, 1] > NEAR_TIE).numpy()
        assert is_clear.mean() > 0.99
    else:
        is_clear = np.ones(found.shape, bool)
    assert np.array_equal(found[is_clear], upsample_argmax(logits, *size).numpy()[is_clear])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 19, 32, 32), (128, 128)),  # the usual factor of 4
        ((2, 11, 23, 30), (90, 120)),
        ((2, 5, 13, 7), (31, 50)),
        ((1, 3, 9, 9), (9, 9)),
        ((2, 4, 20, 33), (7, 12)),  # smaller
        ((1, 6, 1, 1), (5, 3)),
        ((3, 1, 2, 3), (4, 5)),
        ((1, 255, 4, 4), (9, 10)),
    ],
)
def test_equals_the_reference(
    kernels: HostKernels, shape: tuple[int, int, int, int], size: tuple[int, int], dtype: torch.dtype
) -> None:
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert_labels(kernels, logits, size)


@settings(KERNEL_SETTINGS, max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 6), st.integers(1, 12), st.integers(1, 12)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 70)),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 2**20),
)
def test_equals_the_reference_for_any_size(
    kernels: HostKernels, shape: tuple[int, int, int, int], size: tuple[int, int], dtype: torch.dtype, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, generator=generator).to(dtype)
    found = kernels.upsample_argmax(place(logits.numpy()), *size)
    full = F.interpolate(logits.double(), size=size, mode="bilinear", align_corners=False)
    chosen = full.gather(1, torch.from_numpy(found.astype(np.int64))[:, None])
    assert (chosen > full.amax(dim=1, keepdim=True) - NEAR_TIE).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_go_to_the_lowest_class(kernels: HostKernels, dtype: torch.dtype) -> None:
    logits = torch.randn(1, 1, 6, 6, generator=torch.Generator().manual_seed(0)).to(dtype).repeat(1, 4, 1, 1)
    logits[:, 0] -= 1.0
    assert np.unique(kernels.upsample_argmax(place(logits.numpy()), 23, 40)).tolist() == [1]


def test_labels_as_float16(kernels: HostKernels) -> None:
    logits = torch.randn(2, 255, 3, 4, generator=torch.Generator().manual_seed(0)).numpy()
    labels = kernels.upsample_argmax(place(logits), 13, 37, np.float16)
    assert labels.dtype == np.float16
    assert np.array_equal(labels, kernels.upsample_argmax(place(logits), 13, 37).astype(np.float16))


def test_nan_is_never_the_largest(kernels: HostKernels) -> None:
    logits = np.array([NAN, -1.0, NAN, -2.0], np.float32).reshape(1, 4, 1, 1)
    assert kernels.upsample_argmax(logits, 2, 2).flatten().tolist() == [1, 1, 1, 1]
    assert kernels.upsample_argmax(np.full((1, 3, 2, 2), NAN, np.float32), 1, 2).flatten().tolist() == [0, 0]


def test_impossible_problems_are_refused(kernels: HostKernels) -> None:
    with pytest.raises(InvalidProblemError):
        kernels.upsample_argmax(np.zeros((1, 256, 2, 2), np.float32), 4, 4)
    with pytest.raises(InvalidProblemError):
        kernels.upsample_argmax(np.zeros((1, 2, 2, 2), np.float32), 4, 0)
