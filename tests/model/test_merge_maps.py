from __future__ import annotations

import pytest
import torch

from segpp_deploy.config import Arch, Preset
from segpp_deploy.model.merge_maps import find_merge_maps
from segpp_deploy.model.plan import PRESETS, MergePlan, N1d, StageSpec, count_tokens
from segpp_deploy.model.segformer import ModelSpec, SegFormer, build_segformer

SIZE_HW = (160, 224)


@pytest.fixture(scope="module")
def model() -> SegFormer:
    torch.manual_seed(0)
    return build_segformer(ModelSpec(Arch.B0, 2))


@pytest.mark.parametrize("preset", list(Preset))
def test_maps_have_the_tokens_of_the_plan(model: SegFormer, preset: Preset) -> None:
    model.plan = PRESETS[preset]
    found = {(one.stage, one.side): one for one in find_merge_maps(model, torch.rand(1, 3, *SIZE_HW))}
    merged = {}
    for tokens in count_tokens(model.plan, SIZE_HW):
        merged[tokens.stage, "q"] = tokens.q_before, tokens.q_after
        merged[tokens.stage, "kv"] = tokens.kv_before, tokens.kv_after
    assert set(found) == {which for which, (before, after) in merged.items() if before != after}
    for which, one in found.items():
        assert (one.row_of_token.numel(), one.num_rows) == merged[which]
        assert len(one.row_of_token.unique()) == one.num_rows


def test_cells_and_runs_are_where_the_tokens_are(model: SegFormer) -> None:
    model.plan = PRESETS[Preset.POOL_2X2]
    first = find_merge_maps(model, torch.rand(1, 3, 64, 64))[0].row_of_token
    assert first[:3, :4].tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [8, 8, 9, 9]]
    model.plan = MergePlan("runs", (StageSpec(kv=N1d(2)), StageSpec(), StageSpec(), StageSpec()))
    (runs,) = find_merge_maps(model, torch.rand(1, 3, 64, 64))
    assert runs.row_of_token.tolist() == [[0, 0], [1, 1]]
