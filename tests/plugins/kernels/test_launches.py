"""How many launches an op takes: what the cost model counts."""

from __future__ import annotations

import numpy as np
import pytest

from segpp_deploy.model.plan import BsmMerge
from segpp_deploy.model.work import (
    count_launches,
    match_kernels,
    match_merge_kernels,
    merge_kernels,
    unmerge_kernels,
)
from tests.plugins.kernels.host_kernels import NO_SLOT, HostKernels

FEW = BsmMerge((32, 64), (8, 8), num_removed=1950, match_every=1)
MORE = BsmMerge((33, 64), (8, 8), num_removed=2000, match_every=1)
HALF = BsmMerge((64, 64), (16, 16), num_removed=4000, match_every=1)
MANY = BsmMerge((64, 128), (16, 16), num_removed=8100, match_every=1)
TOO_MANY = BsmMerge((65, 128), (16, 16), num_removed=8200, match_every=1)


@pytest.mark.parametrize("merge", [FEW, MORE, HALF, MANY, TOO_MANY], ids=lambda merge: str(merge.num_tokens))
def test_the_cost_model_counts_the_launches(kernels: HostKernels, merge: BsmMerge) -> None:
    tokens = np.random.default_rng(0).standard_normal((1, merge.num_tokens, 1)).astype(np.float16)
    before = kernels.launches
    rows = kernels.token_match(tokens, merge.grid_hw, merge.stride_yx, merge.num_removed)
    assert kernels.launches - before == count_launches(match_kernels(merge, 1))
    before = kernels.launches
    kernels.token_match_merge(tokens, merge.grid_hw, merge.stride_yx, merge.num_removed)
    assert kernels.launches - before == count_launches(match_merge_kernels(merge, 1))
    before = kernels.launches
    merged = kernels.token_merge(tokens, rows, merge.num_rows)
    assert kernels.launches - before == count_launches(merge_kernels(merge, 1))
    before = kernels.launches
    kernels.token_unmerge(merged, rows)
    assert kernels.launches - before == count_launches(unmerge_kernels(merge, 1))


def test_sizes_take_no_launch_more(kernels: HostKernels) -> None:
    before = kernels.launches
    kernels.token_merge_with_size(np.zeros((1, 8, 1), np.float32), np.zeros((1, 8), np.int32), 1)
    assert kernels.launches == before + 1


def test_a_match_without_a_slot_takes_one_more(kernels: HostKernels) -> None:
    before = kernels.launches
    kernels.token_match(np.zeros((1, 16, 1), np.float32), (4, 4), (2, 2), 1, NO_SLOT)
    assert kernels.launches == before + 2
    kernels.token_match_merge(np.zeros((1, 16, 1), np.float32), (4, 4), (2, 2), 1, NO_SLOT)
    assert kernels.launches == before + 5
