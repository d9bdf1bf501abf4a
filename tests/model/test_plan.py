"""Merge plans: presets remove what they promise, integers per grid, plan files and their errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from segpp_deploy.config import Preset
from segpp_deploy.errors import SegppError
from segpp_deploy.model.plan import (
    PRESETS,
    Bsm,
    BsmMerge,
    N1d,
    N2d,
    PoolMerge,
    StageSpec,
    count_tokens,
    explain_plan,
    resolve_side,
)
from segpp_deploy.model.plan_file import load_plan, parse_plan, plan_to_dict


@pytest.mark.parametrize("preset", [p for p in Preset if p not in (Preset.ORIGINAL, Preset.DOWNSAMPLE)])
@pytest.mark.parametrize("size", [(512, 1024), (480, 640), (384, 288)])
def test_presets_remove_tokens_in_every_stage(preset: Preset, size: tuple[int, int]) -> None:
    """The published package's own preset names silently ran unmerged; ours must not."""
    for stage in count_tokens(PRESETS[preset], size):
        assert stage.q_after + stage.kv_after < stage.q_before + stage.kv_before, stage


def test_presets_at_1024() -> None:
    def counts(preset: Preset) -> list[tuple[int, int]]:
        return [(stage.q_after, stage.kv_after) for stage in count_tokens(PRESETS[preset], (1024, 1024))]

    assert counts(Preset.ORIGINAL) == [(65536, 1024), (16384, 1024), (4096, 1024), (1024, 1024)]
    assert counts(Preset.HQ) == [(65536, 410), (16384, 410), (820, 1024), (205, 1024)]
    assert counts(Preset.FAST) == [(65536, 103), (16384, 103), (410, 1024), (103, 1024)]
    assert counts(Preset.POOL_2X2) == [(16384, 1024), (4096, 1024), (1024, 1024), (256, 1024)]
    assert counts(Preset.N1D) == [(32768, 1024), (8192, 1024), (2048, 1024), (512, 1024)]
    assert counts(Preset.DOWNSAMPLE) == [(16384, 256), (4096, 256), (1024, 256), (256, 256)]
    assert counts(Preset.FAST_REUSE) == counts(Preset.FAST_PLUS) == counts(Preset.FAST)
    assert counts(Preset.HQ_PLUS) == counts(Preset.HQ)


@given(
    st.floats(0, 1, exclude_max=True),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_bsm_never_removes_more_than_the_sources(ratio: float, stride: tuple[int, int], grid: tuple[int, int]) -> None:
    merge = resolve_side(Bsm(ratio, stride), grid)
    if merge is not None:
        assert isinstance(merge, BsmMerge)
        assert (grid[0] // stride[0]) * (grid[1] // stride[1]) <= merge.num_rows < merge.num_tokens


@pytest.mark.parametrize(
    ("spec", "grid", "rows"),
    [
        (Bsm(0.0, (2, 2)), (8, 8), None),
        (Bsm(0.9, (4, 4)), (3, 9), None),
        (Bsm(0.99, (2, 2)), (4, 4), 4),  # clamped to the number of sources
        (N2d((2, 2)), (5, 7), 12),
        (N2d((1, 1)), (5, 7), None),
        (N1d(4), (3, 3), 3),
        (None, (5, 7), None),
    ],
)
def test_resolve_side(spec: Any, grid: tuple[int, int], rows: int | None) -> None:
    merge = resolve_side(spec, grid)
    assert (merge.num_rows if merge else None) == rows


@pytest.mark.parametrize(("every", "layers"), [(1, [0, 1, 2, 3, 4]), (0, [0]), (2, [0, 2, 4]), (3, [0, 3])], ids=str)
def test_match_every(every: int, layers: list[int]) -> None:
    merge = BsmMerge((8, 8), (2, 2), 10, every)
    assert [layer for layer in range(5) if merge.matches_in_layer(layer)] == layers


@pytest.mark.parametrize(
    ("spec", "sizes"),
    [
        (N2d((2, 3), weighted=True), (6, 6, 2, 6, 6, 2, 3, 3, 1)),
        (N1d(8, weighted=True), (8, 8, 8, 8, 3)),
        (N2d((5, 7), weighted=True), (35,)),
    ],
)
def test_cells_of_the_border_hold_less(spec: N1d | N2d, sizes: tuple[int, ...]) -> None:
    merge = resolve_side(spec, (5, 7))
    assert isinstance(merge, PoolMerge)
    assert merge.cell_sizes == sizes
    assert sum(merge.cell_sizes) == 35


@pytest.mark.parametrize("preset", [Preset.HQ_PLUS, Preset.FAST_PLUS])
def test_plus_presets_weigh_all_keys_that_merge(preset: Preset) -> None:
    sides = [stage.kv for stage in PRESETS[preset].stages if stage.kv is not None]
    assert len(sides) == 2
    assert all(side.weighted for side in sides)


@pytest.mark.parametrize(("plus", "published"), [(Preset.HQ_PLUS, Preset.HQ), (Preset.FAST_PLUS, Preset.FAST)])
def test_plus_presets_match_queries_once(plus: Preset, published: Preset) -> None:
    for stage, before in zip(PRESETS[plus].stages, PRESETS[published].stages, strict=True):
        assert stage.q == (replace(before.q, match_every=0) if isinstance(before.q, Bsm) else before.q)
        assert stage.kv == (replace(before.kv, weighted=True) if isinstance(before.kv, Bsm) else before.kv)


def test_queries_have_no_weight() -> None:
    with pytest.raises(ValueError, match="queries have no weight"):
        StageSpec(q=N2d((2, 2), weighted=True))


def test_too_small_grids_are_explained() -> None:
    notes = explain_plan(PRESETS[Preset.HQ], (96, 96))
    assert any("Stage 4, q" in note for note in notes)
    assert explain_plan(PRESETS[Preset.HQ], (512, 1024)) == ()


@pytest.mark.parametrize(("preset", "size"), [(Preset.FAST, (32, 16)), (Preset.DOWNSAMPLE, (48, 48))])
def test_images_without_key_tokens_are_refused(preset: Preset, size: tuple[int, int]) -> None:
    with pytest.raises(SegppError, match="too small"):
        count_tokens(PRESETS[preset], size)


@pytest.mark.parametrize("preset", list(Preset))
def test_plan_files_round_trip(preset: Preset, tmp_path: Path) -> None:
    path = tmp_path / f"{preset}.yaml"
    path.write_text(yaml.safe_dump(plan_to_dict(PRESETS[preset])))
    assert load_plan(str(path)) == PRESETS[preset]
    assert load_plan(str(preset)) is PRESETS[preset]


def test_documented_plan_file() -> None:
    text = """
    stages:
      - {kv: {mode: bsm, ratio: 0.6, stride: [2, 2]}}
      - {kv: {mode: bsm, ratio: 0.6, stride: [2, 2], match_every: 0, weighted: true}, q: {mode: n2d, stride: [2, 2]}}
      - {q: {mode: bsm, ratio: 0.8, stride: [4, 4]}, kv: none}
      - {q: {mode: n1d, stride: 2}}
    """
    plan = parse_plan(yaml.safe_load(text), "plan", "plan.yaml")
    assert plan.stages[0].kv == Bsm(0.6, (2, 2))
    assert plan.stages[1].kv == Bsm(0.6, (2, 2), match_every=0, weighted=True)
    assert plan.stages[1].q == N2d((2, 2))
    assert plan.stages[2].kv is None
    assert plan.stages[3].q == N1d(2)


BAD_PLANS = {
    "stages: 3": "lists no stages",
    "stages: [{}, {}, {}]": "lists 3 stages",
    "[1, 2]": "a mapping with stages",
    "stages: [{q: {mode: bsm_r2D}}, {}, {}, {}]": "Unknown merge mode 'bsm_r2D' in plan.yaml (stage 1, q)",
    "stages: [{}, {kv: {mode: bsm, ratio: 1.5, stride: [2, 2]}}, {}, {}]": "ratio is 1.5 in plan.yaml (stage 2, kv)",
    "stages: [{}, {kv: {mode: bsm, ratio: -0.1, stride: [2, 2]}}, {}, {}]": "ratio is -0.1",
    "stages: [{}, {kv: {mode: bsm, ratio: .nan, stride: [2, 2]}}, {}, {}]": "ratio is nan",
    "stages: [{}, {kv: {mode: bsm, ratio: yes, stride: [2, 2]}}, {}, {}]": "ratio is True",
    "stages: [{}, {kv: {mode: bsm, stride: [2, 2]}}, {}, {}]": "ratio is None",
    "stages: [{}, {kv: {mode: bsm, ratio: 0.5, stride: 2}}, {}, {}]": "stride is 2",
    "stages: [{}, {kv: {mode: bsm, ratio: 0.5, stride: [2, 0]}}, {}, {}]": "a whole number >= 1",
    "stages: [{}, {kv: {mode: bsm, ratio: 0.5, stride: [2, 2], every: 2}}, {}, {}]": "Unknown field 'every'",
    "stages: [{}, {kv: {mode: bsm, ratio: 0.5, stride: [2, 2], match_every: -1}}, {}, {}]": "match_every is -1",
    "stages: [{}, {kv: {ratio: 0.5}}, {}, {}]": "names no mode",
    "stages: [{}, {kv: {mode: n1d, stride: [2, 2]}}, {}, {}]": "stride is [2, 2]",
    "stages: [{}, {kv: {mode: n2d, stride: [2, 2], weighted: 1}}, {}, {}]": "weighted is 1 in plan.yaml (stage 2, kv)",
    "stages: [{}, {q: {mode: n1d, stride: 2, weighted: true}}, {}, {}]": "weighted is true in plan.yaml (stage 2, q)",
    "stages: [{}, {k: none}, {}, {}]": "Unknown field 'k'",
    "stage: []": "Unknown field 'stage'",
    "{stages: [{}, {}, {}, {}], downsample: 2}": "downsample is 2",
    "stages: [{]": "is not YAML",
}


@pytest.mark.parametrize(("text", "message"), BAD_PLANS.items(), ids=list(BAD_PLANS.values()))
def test_bad_plan_files(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(SegppError) as error:
        load_plan(str(path))
    assert message in str(error.value)
    assert error.value.expected
    assert error.value.fix


def test_aliases_that_stand_for_thousands_of_millions_are_quoted_briefly(tmp_path: Path) -> None:
    levels = [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 10)}]" for number in range(1, 30)]
    path = tmp_path / "plan.yaml"
    path.write_text("\n".join(["stages: [{}, {}, {}, &a0 lol]", *levels, "downsample: *a29"]))
    with pytest.raises(SegppError) as caught:
        load_plan(str(path))
    assert len(str(caught.value)) < 1000


def test_unknown_modes_suggest_the_closest() -> None:
    with pytest.raises(SegppError, match=r"Unknown mode 'fats'") as error:
        load_plan("fats")
    assert "Did you mean 'fast'?" in str(error.value)
    assert "hq-reuse" in error.value.expected


def test_missing_plan_file() -> None:
    with pytest.raises(SegppError, match=r"No such file: nowhere\.yaml"):
        load_plan("nowhere.yaml")
