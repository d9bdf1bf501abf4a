"""The cost model counts what the network does, and its page is current."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.cost_model import page as cost_model
from benchmarks.cost_model.bodies import count_bodies, read_bodies
from benchmarks.cost_model.conclusions import all_cases, conclude
from benchmarks.cost_model.stages import StageCase, stage_cases
from benchmarks.cost_model.tables import ARCHS, MERGED_MODES, SIZES
from segpp_deploy.config import Arch, Preset, Size
from segpp_deploy.model.plan import BsmMerge, PoolMerge, StageMerge
from segpp_deploy.model.work import (
    BEST_MATCH,
    Kernel,
    LayerShape,
    Part,
    count_launches,
    layer_kernels,
)
from segpp_deploy.tuning.search.peaks import GPUS, Peaks

MEGAPIXEL = Size(1024, 1024)
QUERY_MERGE = BsmMerge((8, 8), (4, 4), num_removed=51, match_every=0)
SHAPE = LayerShape((8, 8), channels=10, heads=5, reduction=1)


def only(kernels: list[Kernel], name: str) -> Kernel:
    (kernel,) = [kernel for kernel in kernels if kernel.name == name]
    return kernel


def added(merge: StageMerge, layer: int) -> int:
    """Launches beyond those of the unmerged layer."""
    return count_launches(layer_kernels(SHAPE, merge, layer)) - count_launches(
        layer_kernels(SHAPE, StageMerge(), layer)
    )


def test_page_and_picture_are_current() -> None:
    assert cost_model.is_current(), "run python -m benchmarks.cost_model.page"


def test_a_stale_page_is_noticed(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "cost-model.md"
    page.write_text(cost_model.PAGE.read_text().replace("GB/s", "GB"))
    monkeypatch.setattr(cost_model, "PAGE", page)
    monkeypatch.setattr("sys.argv", ["cost_model.py", "--check"])
    with pytest.raises(SystemExit, match="not current"):
        cost_model.main()


def test_a_kernel_takes_as_long_as_its_slowest_resource() -> None:
    gpu = Peaks("", bandwidth=10, tensor_rate=100, vector_rate=5, source="")
    assert gpu.seconds(Kernel("", Part.REST, 20, 100, 5)) == 2
    assert gpu.seconds(Kernel("", Part.REST, 10, 300, 5)) == 3
    assert gpu.seconds(Kernel("", Part.REST, 10, 100, 20)) == 4


def test_plugins_add_two_launches_to_queries_and_one_to_keys() -> None:
    assert added(StageMerge(q=QUERY_MERGE), layer=0) == 2
    assert added(StageMerge(q=QUERY_MERGE), layer=1) == 2
    assert added(StageMerge(kv=QUERY_MERGE), layer=0) == 1
    assert added(StageMerge(kv=QUERY_MERGE), layer=1) == 1
    assert added(StageMerge(q=PoolMerge((8, 8), (2, 2))), layer=0) == 3


def test_many_tokens_add_more_launches() -> None:
    more = replace(QUERY_MERGE, grid_hw=(64, 64))
    assert added(StageMerge(q=more), layer=0) == 3
    assert added(StageMerge(q=more), layer=1) == 2
    many = replace(QUERY_MERGE, grid_hw=(64, 65))
    assert added(StageMerge(q=many), layer=0) == 4
    assert added(StageMerge(q=many), layer=1) == 2
    too_many = replace(QUERY_MERGE, grid_hw=(128, 65))
    assert added(StageMerge(q=too_many), layer=0) == 5
    assert added(StageMerge(q=too_many), layer=1) == 3


def test_bytes_and_operations_of_a_small_layer() -> None:
    kernels = layer_kernels(SHAPE, StageMerge(q=QUERY_MERGE), 0)
    similarity = only(kernels, "similarity")  # 60 sources, 4 destinations, 10 channels
    assert similarity.tensor_operations == 2 * 60 * 4 * 10
    assert similarity.bytes_moved == 2 * 64 * 10 + 2 * BEST_MATCH * 60 + 4 * 64
    attention = only(kernels, "attention")  # 13 merged queries, 64 keys, 5 heads
    assert attention.tensor_operations == 4 * 13 * 64 * 10
    assert attention.vector_operations == 5 * 5 * 13 * 64
    assert attention.bytes_moved == 2 * 10 * (13 + 64 + 64 + 13)
    assert only(kernels, "gather and add").bytes_moved == 2 * 10 * (13 + 64 + 64) + 4 * 64
    assert only(kernels, "mean").bytes_moved == 2 * 10 * (64 + 13) + 4 * 64


def test_unfused_attention_moves_the_scores_four_times() -> None:
    fused, plain = (layer_kernels(SHAPE, StageMerge(), 0, fused=fused) for fused in (True, False))
    scores = 2 * 5 * 64 * 64
    sides = 2 * 2 * 10 * (64 + 64)
    moved = sum(kernel.bytes_moved for kernel in plain) - sum(kernel.bytes_moved for kernel in fused)
    assert moved == 4 * scores + sides - only(fused, "attention").bytes_moved
    assert sum(kernel.tensor_operations for kernel in plain) == sum(kernel.tensor_operations for kernel in fused)


def test_reuse_matches_once_in_a_stage() -> None:
    case = StageCase(Arch.B5, MEGAPIXEL, Preset.HQ_REUSE, 2)
    assert [sum(kernel.part is Part.MATCH for kernel in layer) for layer in case.layers] == [2] + [0] * 39
    assert case.saved_launches == 41  # of merges, and the first one is in the launch that selects
    assert StageCase(Arch.B0, MEGAPIXEL, Preset.HQ, 0).saved_launches == 2 * 3


def test_breaking_even_is_where_the_gain_is_lost() -> None:
    case, gpu = StageCase(Arch.B0, MEGAPIXEL, Preset.HQ, 3), GPUS[1]
    launch = case.break_even_launch(gpu)
    merged = case.seconds(gpu) + launch * count_launches(case.kernels(cost_model.Part))
    original = case.original.seconds(gpu) + launch * count_launches(case.original.kernels(cost_model.Part))
    assert merged == pytest.approx(original)


def test_the_original_gains_nothing() -> None:
    for case in stage_cases(Arch.B0, MEGAPIXEL, Preset.ORIGINAL):
        assert case.gain(GPUS[0]) == 1


def test_every_merged_stage_is_judged() -> None:
    assert len(all_cases()) == len(ARCHS) * len(SIZES) * len(MERGED_MODES) * 4
    assert set(MERGED_MODES) >= {Preset.HQ, Preset.FAST, Preset.HQ_PLUS, Preset.FAST_PLUS}
    text = " ".join(conclude(read_bodies()))
    assert "it pays in" in text
    assert all(gpu.name in text for gpu in GPUS)


@pytest.mark.slow
def test_recorded_bodies_are_what_the_export_writes() -> None:
    wanted = (Arch.B0, Preset.HQ, str(MEGAPIXEL))
    recorded = [body for body in read_bodies() if (body.arch, body.preset, body.size) == wanted]
    assert count_bodies(Arch.B0, Preset.HQ, MEGAPIXEL) == recorded, "run python -m benchmarks.cost_model.bodies"
