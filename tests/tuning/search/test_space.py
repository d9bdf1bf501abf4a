"""The search space: every preset is a point of it, and points that do the same have the same key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segpp_deploy.config import Precision, Preset, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.model.plan import PRESETS, Bsm, MergePlan, N2d, StageSpec
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.search.candidate import Candidate, EngineKind, usable_engines
from segpp_deploy.tuning.search.space import SearchSpace

CPU = EngineKind(TargetName.CPU)
SPACE = SearchSpace(Size(360, 480), (CPU, EngineKind(TargetName.OPENVINO)))
NOTHING = StageSpec()
SMALL = Size(64, 64)


@pytest.mark.parametrize("preset", Preset)
def test_every_preset_is_a_point(preset: Preset) -> None:
    params = SPACE.params(preset, CPU)
    assert SPACE.holds(params)
    assert SPACE.candidate(params) == Candidate(PRESETS[preset], SPACE.size, CPU)


def test_smaller_inputs_are_choices_once_each() -> None:
    assert SPACE.sizes[0] == Size(360, 480)
    assert len(set(SPACE.sizes)) == len(SPACE.sizes) > 3
    assert all(side % 32 == 0 for size in SPACE.sizes[1:] for side in size.hw)
    small = SearchSpace(Size(32, 32), (CPU,))
    assert small.sizes == (Size(32, 32),)
    assert Preset.DOWNSAMPLE not in small.presets()
    assert "downsample" not in small.axes["input"]


def test_a_point_of_another_space_is_none_of_this() -> None:
    params = SPACE.params(Preset.FAST, CPU)
    assert not SPACE.holds({**params, "engine": "tensorrt fp16"})
    assert not SPACE.holds({})


def candidate(stage: StageSpec, size: Size = SMALL) -> Candidate:
    return Candidate(MergePlan("", (NOTHING, NOTHING, NOTHING, stage)), size, CPU)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (StageSpec(kv=Bsm(0.9, (4, 4))), NOTHING),  # the grid of 2x2 tokens is smaller than a cell
        (StageSpec(q=Bsm(0.8, (2, 2))), StageSpec(q=Bsm(0.9, (2, 2)))),  # there are no more sources
        (StageSpec(q=N2d((4, 4))), StageSpec(q=N2d((2, 2)))),
    ],
)
def test_plans_that_do_the_same_have_the_same_key(one: StageSpec, other: StageSpec) -> None:
    first, second = candidate(one), candidate(other)
    assert (first.key == second.key) == (one.q is None or isinstance(one.q, Bsm))


def test_complexity_counts_what_differs_from_the_plain_network() -> None:
    plain = candidate(NOTHING)
    assert plain.complexity(plain.size) == 0
    assert plain.complexity(Size(128, 128)) == 1
    assert candidate(StageSpec(q=N2d((2, 2)), kv=N2d((2, 2)))).complexity(plain.size) == 2
    int8 = replace(plain, engine=EngineKind(TargetName.CPU, Precision.INT8))
    assert int8.complexity(plain.size) == 1


def test_engines_are_what_runs_here() -> None:
    found = usable_engines((TargetName.CPU,), ())
    assert [kind.target for kind in found] == [TargetName.CPU] * len(found)
    assert CPU in found
    assert set(found) <= set(usable_engines((), ()))
    assert all(kind.precision is Precision.FP32 for kind in usable_engines((), (Precision.FP32,)))
    assert usable_engines((TargetName.AUTO,), (Precision.FP32,))[0].target is not TargetName.AUTO


def test_engines_that_cannot_be_searched_on_are_refused() -> None:
    with pytest.raises(SegppError, match="No target that works here"):
        usable_engines((TargetName.CPU,), (Precision.INT8,))
    with pytest.raises(SegppError, match=r"TensorRT|NVIDIA"):
        usable_engines((TargetName.TENSORRT,), ())
