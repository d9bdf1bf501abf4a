"""The accuracy gate: layers return to a higher precision, the most sensitive first, until the engine is good enough."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from segpp_deploy.config import Precision
from segpp_deploy.data.datasets.selection import DIRECTORY, Selection, select_pictures
from segpp_deploy.engine.precision_record import GateOutcome, KeptLayers, KeptReason
from segpp_deploy.errors import CheckFailedError
from segpp_deploy.evaluation.evaluator import Evaluator, KeptReference
from segpp_deploy.evaluation.predictor import Predictor
from segpp_deploy.graph.graph_file import GraphFile
from segpp_deploy.graph.precision.half import is_halved
from segpp_deploy.graph.precision.recipe import PrecisionRecipe
from segpp_deploy.progress import Progress
from segpp_deploy.tuning.candidates import CandidateBench
from segpp_deploy.tuning.gate_options import GateOptions
from segpp_deploy.tuning.int8_layers import speedup_of
from segpp_deploy.tuning.recipe_choice import RecipeChoice
from segpp_deploy.tuning.sensitivity import GroupSensitivity, find_sensitivity, group_layers


@dataclass(frozen=True)
class GateResult:
    """What passed.

    Args:
        recipe: of the graph that passed.
        outcome: its scores.
        per_class: the headline's parts of the float32 graph and of the engine, by class name.
        kept: the groups that returned to a higher precision; one entry each, in the order they returned.
        sensitivity: all groups, the most sensitive first; empty where nobody had to know.
        warnings: what speaks against believing the scores.
    """

    recipe: PrecisionRecipe
    outcome: GateOutcome
    per_class: dict[str, tuple[float, float]]
    kept: tuple[KeptLayers, ...] = ()
    sensitivity: tuple[GroupSensitivity, ...] = ()
    warnings: tuple[str, ...] = ()


class AccuracyGate:
    """Judges recipes until one loses no more points of the headline score than are allowed.

    Args:
        bench: opens the graph under a recipe.
        reference: what the float32 graph of the same mode says about the held-out pictures.
        options: what may be lost.
        progress: told about each step.
    """

    def __init__(
        self, bench: CandidateBench, reference: KeptReference[Any, Any], options: GateOptions, progress: Progress
    ) -> None:
        self._bench = bench
        self._reference = reference
        self._options = options
        self._progress = progress

    def find_passing(self, choice: RecipeChoice, explain: bool = False) -> GateResult:
        """Return the first recipe that passes; see `search`.

        Raises:
            CheckFailedError: none does; no engine is to be built.
        """
        result = self.search(choice, explain)
        if not result.outcome.passed:
            raise self._failure(result, "even with all groups of layers but one in a higher precision it loses")
        return result

    def search(self, choice: RecipeChoice, explain: bool = False) -> GateResult:
        """Return the first recipe that passes, or where none does the last that was judged.

        Args:
            choice: the recipe to begin with.
            explain: measure the sensitivity of the layers even if the first recipe passes, for a report.
        """
        result = self._judge_recipe(choice.recipe)
        sensitivity = () if result.outcome.passed and not explain else self._find_sensitivity(choice)
        returned: list[GroupSensitivity] = []
        for group in sensitivity[:-1]:  # an engine without any layer in the precision does not have it
            if result.outcome.passed:
                break
            returned.append(group)
            recipe = result.recipe.without(group.group.layers)
            result = self._judge_recipe(recipe)
        kept = self._with_costs(choice.recipe, returned) if result.outcome.passed else ()
        return replace(result, kept=kept, sensitivity=sensitivity)

    def check(self, recipe: PrecisionRecipe) -> GateResult:
        """Judge an engine that there is only one way to build.

        Raises:
            CheckFailedError: it loses too much.
        """
        result = self._judge_recipe(recipe)
        if not result.outcome.passed:
            raise self._failure(result, "it loses")
        return result

    def _judge_recipe(self, recipe: PrecisionRecipe) -> GateResult:
        options = self._options
        with self._bench.open(recipe) as session:
            found = self._reference.compare(Predictor(session), f"{recipe.precision} on {options.data}")
        outcome = GateOutcome(
            data=options.data,
            images=found.evaluation.samples,
            allowed_points=options.points,
            reference=found.reference.headline,
            engine=found.evaluation.headline,
            agreement=found.agreement[0],
            judged_on=str(self._bench.target),
        )
        values = found.evaluation.per_class.values
        per_class = {name: (value, values[name]) for name, value in found.reference.per_class.values.items()}
        return GateResult(recipe, outcome, per_class, warnings=found.reference.warnings)

    def _failure(self, result: GateResult, finding: str) -> CheckFailedError:
        outcome = result.outcome
        doubts = "".join(f" {warning}" for warning in result.warnings)
        return CheckFailedError(
            f"No engine passed the accuracy gate: {finding} {outcome.lost_points:.2f} points of "
            f"{outcome.engine.name} on {outcome.data}.{doubts}",
            f"a loss of at most {outcome.allowed_points:g} points.",
            f"Calibrate on more and more varied pictures, allow more points, or build in {Precision.FP32}.",
        )

    def _find_sensitivity(self, choice: RecipeChoice) -> tuple[GroupSensitivity, ...]:
        groups = [group for group in group_layers(choice.layers) if group.layers & _reducible(choice)]
        return find_sensitivity(groups, choice.recipe, self._bench, self._reference, self._progress)

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
    return frozenset(one.name for one in choice.layers if is_halved(one) and one.name not in kept)


class HeldOut:
    """The gate's options with its pictures, which are looked for before the work begins.

    Args:
        options: what may be lost, on which data.
        graph: the export, which says what its pictures show.
        progress: told about each step.

    Raises:
        SegppError: the data cannot be used, is for another task or other classes, or its labels do not fit.
    """

    def __init__(self, options: GateOptions, graph: GraphFile, progress: Progress) -> None:
        metadata = graph.metadata
        self.options = options
        self._progress = progress
        self._pictures: Selection = select_pictures(options.data, options.images, metadata.task, metadata.classes)
        self._evaluator = Evaluator[Any, Any](self._pictures.dataset, progress)
        self._evaluator.survey(metadata)

    def open(self, bench: CandidateBench) -> AccuracyGate:
        """Let the float32 graph predict for the pictures, and return the gate that compares with it."""
        with bench.open(None) as session:
            reference = self._evaluator.keep(Predictor(session), f"Float32 on {self.options.data}")
        return AccuracyGate(bench, reference, self.options, self._progress)

    def is_what_was_calibrated_on(self, choice: RecipeChoice) -> bool:
        """Whether the ranges come from the same pictures, as far as names can tell."""
        if choice.ranges is None:
            return False
        same_split = choice.ranges.data == self._pictures.data != DIRECTORY
        return same_split or choice.ranges.source == self.options.data
