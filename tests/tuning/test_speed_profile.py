"""Why an engine is as fast as it is: groups of operations side by side, and the sentence they make."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from segpp_deploy.config import Precision
from segpp_deploy.graph.precision.recipe import PrecisionRecipe
from segpp_deploy.progress import no_progress
from segpp_deploy.runtimes.profiling import OperationGroup
from segpp_deploy.runtimes.session import OperationTime, Profile
from segpp_deploy.tuning import speed_profile
from segpp_deploy.tuning.speed_profile import GroupTime, SpeedProfile, profile_beside_float32

FLOAT32 = (OperationTime("Conv", 60.0, 3), OperationTime("Gelu", 30.0, 2), OperationTime("TopK", 10.0, 1))
INT8 = (
    OperationTime("QLinearConv", 20.0, 3),
    OperationTime("QuantizeLinear", 5.0, 4),
    OperationTime("Gelu", 25.0, 2),
)


class ProfiledBench:
    @contextmanager
    def open(self, recipe: PrecisionRecipe | None, *, profile: bool) -> Iterator[Profile]:
        assert profile
        yield Profile(FLOAT32 if recipe is None else INT8, parts={})


@pytest.fixture
def profile(monkeypatch: pytest.MonkeyPatch) -> SpeedProfile:
    monkeypatch.setattr(speed_profile, "profile_session", lambda profile, runs, warmup: profile)
    return profile_beside_float32(PrecisionRecipe(Precision.INT8), ProfiledBench(), no_progress)


def test_groups_side_by_side(profile: SpeedProfile) -> None:
    assert [one.group for one in profile.groups] == list(OperationGroup)
    times = {one.group: (one.float32_ms, one.engine_ms) for one in profile.groups}
    assert times[OperationGroup.PRODUCTS] == (60, 20)
    assert times[OperationGroup.CONVERSIONS] == (0, 5)
    assert times[OperationGroup.ELEMENTWISE] == (30, 25)
    assert times[OperationGroup.OTHER] == (10, 0)
    assert times[OperationGroup.RESIZING] == (0, 0)


def test_the_sentence_names_what_gained_and_what_bounds(profile: SpeedProfile) -> None:
    assert profile.explain() == (
        "By its profile, convolutions and products took 60% of the time in float32 and are 3.0 times as fast in int8. "
        "The rest went from 40.0 to 30.0 ms and takes 60% of the time now, the most of it element by element (25.0 ms)."
    )


def test_ratios() -> None:
    assert GroupTime(OperationGroup.NORMS, 3.0, 2.0).ratio == 1.5
    assert GroupTime(OperationGroup.NORMS, 3.0, 0.0).ratio == math.inf
    assert math.isnan(GroupTime(OperationGroup.NORMS, 0.0, 0.0).ratio)
