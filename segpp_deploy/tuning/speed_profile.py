"""Why an engine is as fast as it is beside float32: where both spend their time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segpp_deploy.config import Precision
from segpp_deploy.graph.precision.recipe import PrecisionRecipe
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.profiling import OperationGroup, group_times, profile_session
from segpp_deploy.tuning.candidates import CandidateBench

RUNS = 5
WARMUP = 2

_STEP = "Profiling beside float32"


@dataclass(frozen=True)
class GroupTime:
    """One group of operations: its milliseconds in one run of the float32 engine and of the other."""

    group: OperationGroup
    float32_ms: float
    engine_ms: float

    @property
    def ratio(self) -> float:
        """How many times faster the group became; infinite where nothing of it is left, NaN where nothing was."""
        if self.engine_ms == 0:
            return float("inf") if self.float32_ms else float("nan")
        return self.float32_ms / self.engine_ms


@dataclass(frozen=True)
class SpeedProfile:
    """Every group of operations. Profiling itself slows a run down: compare shares."""

    precision: Precision
    groups: tuple[GroupTime, ...]

    def explain(self) -> str:
        """Return a sentence or two: what became faster, and what bounds the engine."""
        products = next(one for one in self.groups if one.group is OperationGroup.PRODUCTS)
        rest = [one for one in self.groups if one is not products]
        rest_before, rest_after = sum(one.float32_ms for one in rest), sum(one.engine_ms for one in rest)
        largest = max(rest, key=lambda one: one.engine_ms)
        return (
            f"By its profile, {products.group} took {products.float32_ms / (products.float32_ms + rest_before):.0%} of "
            f"the time in float32 and are {products.ratio:.1f} times as fast in {self.precision}. The rest went from "
            f"{rest_before:.1f} to {rest_after:.1f} ms and takes {rest_after / (products.engine_ms + rest_after):.0%} "
            f"of the time now, the most of it {largest.group} ({largest.engine_ms:.1f} ms)."
        )


def profile_beside_float32(recipe: PrecisionRecipe, bench: CandidateBench, progress: Progress) -> SpeedProfile:
    """Profile the graph in float32 and under a recipe, one after the other, on noise."""
    progress(_STEP, 0, 2)
    before = _profile(None, bench)
    progress(_STEP, 1, 2)
    after = _profile(recipe, bench)
    progress(_STEP, 2, 2)
    groups = tuple(GroupTime(group, before[group], after[group]) for group in OperationGroup)
    return SpeedProfile(recipe.precision, groups)


def _profile(recipe: PrecisionRecipe | None, bench: CandidateBench) -> Mapping[OperationGroup, float]:
    with bench.open(recipe, profile=True) as session:
        return group_times(profile_session(session, RUNS, WARMUP).operations)
