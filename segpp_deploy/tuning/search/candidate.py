"""What a search chooses between: a merge plan at an input size, for a target, in a precision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from segpp_deploy import commands
from segpp_deploy.config import Precision, Size
from segpp_deploy.errors import SegppError
from segpp_deploy.graph.precision.recipe import PrecisionRecipe
from segpp_deploy.model.arch import SPATIAL_REDUCTION, stage_grids
from segpp_deploy.model.plan import MergePlan, StageMerge, backbone_size, resolve_stage
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.runtimes.registry import contending_targets, open_target, resolve_auto

CandidateKey = tuple[tuple[StageMerge, ...], tuple[int, int], Size, "EngineKind"]


@dataclass(frozen=True)
class EngineKind:
    """What computes a graph, and in which precision."""

    target: TargetName
    precision: Precision = Precision.FP32

    @property
    def recipe(self) -> PrecisionRecipe | None:
        """How the graph comes to the precision; None where it stays float32. int8 needs more: ranges."""
        if self.precision is Precision.FP32:
            return None
        rest = self.precision if self.precision is Precision.BF16 else Precision.FP32
        return PrecisionRecipe(self.precision, rest=rest)

    def __str__(self) -> str:
        return f"{self.target} {self.precision}"


@dataclass(frozen=True)
class Candidate:
    """One way to run the model.

    Args:
        plan: what it merges.
        size: of the input in pixels.
        engine: what computes it.
    """

    plan: MergePlan
    size: Size
    engine: EngineKind

    @property
    def key(self) -> CandidateKey:
        """What is the same for plans that differ in words only: sides where nothing is left to merge, ratios cut off.

        Raises:
            SegppError: the size is too small for the plan.
        """
        seen_hw = backbone_size(self.plan, self.size.hw)
        stages = zip(self.plan.stages, stage_grids(*seen_hw), SPATIAL_REDUCTION, strict=True)
        return tuple(resolve_stage(*stage) for stage in stages), seen_hw, self.size, self.engine

    def complexity(self, full: Size) -> int:
        """Return how many things differ from the plain network: merged sides, a smaller input, int8."""
        stages, seen_hw, _, engine = self.key
        sides = sum((merge.q is not None) + (merge.kv is not None) for merge in stages)
        return sides + (seen_hw != full.hw) + (engine.precision is Precision.INT8)

    def named(self, name: str) -> Candidate:
        """Return it with another name of the plan."""
        return replace(self, plan=replace(self.plan, name=name))

    def __str__(self) -> str:
        return f"{self.plan.name}, {self.size}, {self.engine}"


def usable_engines(targets: Iterable[TargetName], precisions: Iterable[Precision]) -> tuple[EngineKind, ...]:
    """Return what can be built and run here.

    Args:
        targets: to choose from; none named: those of `contending_targets`.
        precisions: to choose from; none named: all.

    Raises:
        SegppError: a target that was named does not work here, or nothing is left.
    """
    named, wanted = tuple(map(resolve_auto, targets)), frozenset(precisions) or frozenset(Precision)
    found = []
    for name in named or contending_targets():
        try:
            target = open_target(name)
            target.require_device()
        except SegppError:
            if named:
                raise
            continue
        found += [EngineKind(name, precision) for precision in target.usable_precisions() if precision in wanted]
    if not any(kind.precision is not Precision.INT8 for kind in found):
        raise SegppError(
            "No target that works here computes in a precision to search in.",
            "a runtime, and fp32, bf16 or fp16; int8 is tried of what the search finds.",
            commands.doctor(),
        )
    return tuple(found)
