"""Results do not depend on the order in which a GPU runs its threads and blocks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.plugins.kernels.host_kernels import Array, HostKernels, place
from tests.plugins.kernels.matching import Match
from tests.plugins.kernels.properties import DTYPES

SEED_VARIABLE = "SEGPP_SIMT_SEED"
SEEDS = ("1", "2", "3")


def run_all(kernels: HostKernels, dtype: torch.dtype, channels: int) -> list[Array]:
    generator = torch.Generator().manual_seed(channels)
    tokens = torch.randn(2, 21 * 22, channels, generator=generator).to(dtype)
    tokens[:, 100:200] = tokens[:, :100]  # ties
    match = Match(tokens, (21, 22), (4, 4), 380)
    rows = match.found(kernels)
    merged, log_size = kernels.token_merge_with_size(place(tokens.numpy()), rows, match.num_rows)
    restored = kernels.token_unmerge(merged, rows, place(tokens.numpy()))
    labels = kernels.upsample_argmax(place(tokens.numpy().reshape(2, 11, 42, channels)), 60, 70)
    many, rows_of_many = np.tile(tokens.numpy(), (1, 18, 1)), np.tile(rows, (1, 18))  # more than one launch merges
    merged_of_many = kernels.token_merge(place(many), place(rows_of_many), match.num_rows)
    return [rows, merged, log_size, restored, labels, merged_of_many]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [24, 11])
def test_any_order_of_threads_and_blocks_gives_the_same_bits(
    kernels: HostKernels, dtype: torch.dtype, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SEED_VARIABLE, raising=False)
    expected = run_all(kernels, dtype, channels)
    for seed in SEEDS:
        monkeypatch.setenv(SEED_VARIABLE, seed)
        for one, other in zip(run_all(kernels, dtype, channels), expected, strict=True):
            assert np.array_equal(one, other)
