"""The accuracy gate: layers return to a higher precision, the most sensitive first, until the engine is good enough."""

from __future__ import annotations

from dataclasses import dataclass

from segpp_deploy.config import Precision
from segpp_deploy.engine.precision_record import GateOutcome, KeptLayers, KeptReason
from segpp_deploy.errors import CheckFailedError
from segpp_deploy.graph.precision.recipe import PrecisionRecipe
from segpp_deploy.workflows.judge import Judge
from segpp_deploy.workflows.placement import speedup_of
from segpp_deploy.workflows.progress import Progress
from segpp_deploy.workflows.recipe_choice import RecipeChoice
from segpp_deploy.workflows.sensitivity import GroupSensitivity, find_sensitivity, group_layers
from segpp_deploy.workflows.trial import TrialBench


@dataclass(frozen=True)
class GateResult:
    """What passed.

    Args:
        recipe: of the graph that passed.
        outcome: its scores.
        kept: the groups that returned to a higher precision; one entry each, in the order they returned.
        sensitivity: all groups, the most sensitive first; empty where nobody had to know.
        per_class_iou: of the float32 graph and of the engine, by class name.
    """

    recipe: PrecisionRecipe
    outcome: GateOutcome
    kept: tuple[KeptLayers, ...]
    sensitivity: tuple[GroupSensitivity, ...]
    per_class_iou: dict[str, tuple[float, float]]


class AccuracyGate:
    """Judges recipes until one loses no more than `allowed_points` of mIoU.

    Args:
        bench: opens the graph under a recipe.
        judge: scores it.
        allowed_points: points of mIoU it may lose against the float32 graph of the same mode.
        progress: told about each step.
    """

    def __init__(self, bench: TrialBench, judge: Judge, allowed_points: float, progress: Progress) -> None:
        self._bench = bench
        self._judge = judge
        self._allowed_points = allowed_points
        self._progress = progress

    def find_passing(self, choice: RecipeChoice, explain: bool = False) -> GateResult:
        """Return the first recipe that passes.

        Args:
            choice: the recipe to begin with.
            explain: measure the sensitivity of the layers even if the first recipe passes, for a report.

        Raises:
            CheckFailedError: none does; no engine is to be built.
        """
        outcome, per_class = self.judge(choice.recipe)
        sensitivity = () if outcome.passed and not explain else self._find_sensitivity(choice)
        recipe, returned = choice.recipe, list[GroupSensitivity]()
        for group in sensitivity:
            if outcome.passed:
                break
            returned.append(group)
            recipe = recipe.without(group.group.layers)
            outcome, per_class = self.judge(recipe)
        if outcome.passed:
            kept = self._with_costs(choice.recipe, returned)
            return GateResult(recipe, outcome, kept, sensitivity, per_class)
        raise CheckFailedError(
            f"No engine passed the accuracy gate: even with every group of layers in a higher precision it loses "
            f"{outcome.lost_points:.2f} points of mIoU on {outcome.data}.",
            f"a loss of at most {self._allowed_points:g} points.",
            "Calibrate on more and more varied pictures, allow more points, or use --precision fp32.",
        )

    def judge(self, recipe: PrecisionRecipe) -> tuple[GateOutcome, dict[str, tuple[float, float]]]:
        """Score one recipe; also returns the IoU of each class for the float32 graph and under the recipe."""
        with self._bench.open(recipe) as session:
            found = self._judge.judge(session, str(recipe.precision), self._progress)
        reference = self._judge.reference
        outcome = GateOutcome(
            data=self._judge.data,
            images=len(self._judge.images),
            allowed_points=self._allowed_points,
            reference_miou=reference.miou,
            engine_miou=found.scores.miou,
            pixel_agreement=found.agreement,
            judged_on=str(self._bench.target),
        )
        engine_iou = found.scores.per_class_iou
        return outcome, {name: (iou, engine_iou[name]) for name, iou in reference.per_class_iou.items()}

    def _find_sensitivity(self, choice: RecipeChoice) -> tuple[GroupSensitivity, ...]:
        groups = [group for group in group_layers(choice.layers) if group.layers & _reducible(choice)]
        return find_sensitivity(groups, choice.recipe, self._bench, self._judge, self._progress)

    def _with_costs(self, first: PrecisionRecipe, returned: list[GroupSensitivity]) -> tuple[KeptLayers, ...]:
        """Describe the groups that returned, each with what its return alone costs in latency."""
        kept = []
        for index, one in enumerate(returned):
            self._progress("Measuring what they cost", index, len(returned))
            percent = None
            if self._bench.is_own_target:
                speedup = speedup_of(first, first.without(one.group.layers), self._bench)
                percent = round(100 * (speedup - 1), 1)
            names = tuple(sorted(one.group.layers))
            kept.append(KeptLayers(reason=KeptReason.SENSITIVITY, names=names, cost_percent=percent))
        return tuple(kept)


def _reducible(choice: RecipeChoice) -> frozenset[str]:
    if choice.recipe.precision is Precision.INT8:
        return choice.recipe.layers
    kept = set(choice.recipe.keep_fp32)
    return frozenset(one.name for one in choice.layers if not one.kind.in_head and one.name not in kept)
