"""`--precision auto`: the fastest precision that the accuracy gate lets pass, timed beside the others in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from segpp_deploy.config import Precision
from segpp_deploy.engine.automatic_choice import PrecisionCandidate, PrecisionChoice
from segpp_deploy.graph.precision.recipe import REWRITTEN, PrecisionRecipe
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.registry import TARGETS, open_target
from segpp_deploy.tuning.accuracy_gate import AccuracyGate, GateResult
from segpp_deploy.tuning.candidates import CandidateBench
from segpp_deploy.tuning.gate_options import GateOptions
from segpp_deploy.tuning.int8_layers import WORTH, speedup_of, time_in_turns
from segpp_deploy.tuning.recipe_choice import NothingFasterError, RecipeChoice

NO_DATA = "exact; no pictures were given to judge the others on."
CHOSEN = "chosen"
_NEEDS_CALIBRATION = "not tried: no calibration was given"
_CPU_LACKS_IT = "not tried: this CPU lacks it"
_NOTHING_FASTER = "not tried: no kind of layers is faster so here"
_NEEDS_DEVICE = "not tried: whether it is faster, only the GPU can tell"
_SLOWER = "slower than what was chosen"
_NOT_WORTH = f"not {100 * (WORTH - 1):.0f} % faster than {Precision.FP32}"
_LOSES = "loses too much"


@dataclass(frozen=True)
class Contender:
    """A precision in the running.

    Args:
        choice: its recipe.
        speedup: over float32; NaN where the device is not here to tell.
        latency_ms: median of one call, in turns with the others; None where not timed.
        gate: how it did, once it was judged.
    """

    choice: RecipeChoice
    speedup: float = 1.0
    latency_ms: float | None = None
    gate: GateResult | None = None

    @property
    def precision(self) -> Precision:
        """Which precision."""
        return self.choice.recipe.precision


@dataclass(frozen=True)
class ChosenPrecision:
    """The winner with its recipe, and the record of all."""

    winner: Contender
    record: PrecisionChoice


def exact_choice() -> RecipeChoice:
    """Return the recipe that leaves a float32 graph as it is."""
    return RecipeChoice(PrecisionRecipe(Precision.FP32, rest=Precision.FP32), layers=())


def find_contenders(
    bench: CandidateBench, calibrated: bool, choose: Callable[[Precision], RecipeChoice]
) -> tuple[list[RecipeChoice], dict[Precision, str]]:
    """Return the recipes that may be tried for a bench's target, float32 first, and why others are not.

    Args:
        bench: of the target.
        calibrated: whether there are ranges for int8, or pictures to find them on.
        choose: makes the recipe of a precision that rewrites the graph.
    """
    info = TARGETS[bench.built_for]
    usable = open_target(info.name).usable_precisions() if bench.is_own_target else info.graph_precisions
    contenders, left_out = [exact_choice()], dict[Precision, str]()
    for precision in info.precisions:
        if precision is Precision.FP32:
            continue
        if precision not in usable:
            left_out[precision] = _CPU_LACKS_IT
        elif precision is Precision.INT8 and not bench.is_own_target:
            left_out[precision] = _NEEDS_DEVICE
        elif precision is Precision.INT8 and not calibrated:
            left_out[precision] = _NEEDS_CALIBRATION
        elif precision in REWRITTEN:
            try:
                contenders.append(choose(precision))
            except NothingFasterError:
                left_out[precision] = _NOTHING_FASTER
        else:
            contenders.append(RecipeChoice(PrecisionRecipe(precision, rest=precision), layers=()))
    return contenders, left_out


def choose_precision(
    choices: Sequence[RecipeChoice],
    left_out: Mapping[Precision, str],
    bench: CandidateBench,
    open_gate: Callable[[], AccuracyGate],
    options: GateOptions,
    progress: Progress,
) -> ChosenPrecision:
    """Return the fastest of some recipes that the gate lets pass; float32 always does.

    Only what is faster than float32 is judged, the fastest first. Where layers return to a higher precision on the way
    through the gate, the recipe is timed again. For a target whose device may not be here nothing is timed: there fp16
    goes before float32.

    Args:
        choices: float32 first.
        left_out: precisions that are not tried, and why.
        bench: times them.
        open_gate: lets float32 predict for the gate's pictures; called only if there is something to judge.
        options: of the gate, for what is said.
        progress: told about each step.
    """
    running = _time(choices, bench, progress) if bench.is_own_target else _rank(choices)
    verdicts = {precision: PrecisionCandidate(precision=precision, verdict=why) for precision, why in left_out.items()}
    gate: AccuracyGate | None = None
    while True:
        best = max(running, key=lambda one: one.speedup)
        if best.speedup < WORTH or best.gate is not None:
            break
        running.remove(best)
        gate = gate or open_gate()
        judged = _judge(best, gate, bench)
        assert judged.gate is not None
        if judged.gate.outcome.passed:
            running.append(judged)
        else:
            verdicts[judged.precision] = _describe(judged, _LOSES)
    winner = best if best.gate is not None and best.speedup >= WORTH else running[0]
    for one in running:
        verdicts[one.precision] = _describe(one, _verdict(one, winner))
    order = [one.recipe.precision for one in choices] + list(left_out)
    record = PrecisionChoice(
        precision=winner.precision,
        why=_explain(winner, options, bench),
        candidates=tuple(verdicts[precision] for precision in order),
    )
    return ChosenPrecision(winner, record)


def _time(choices: Sequence[RecipeChoice], bench: CandidateBench, progress: Progress) -> list[Contender]:
    progress("Timing precisions in turns", 0, 1)
    names = [str(one.recipe.precision) for one in choices]
    with ExitStack() as opened:
        sessions = {
            name: opened.enter_context(bench.open(None if index == 0 else one.recipe))
            for index, (name, one) in enumerate(zip(names, choices, strict=True))
        }
        timed = time_in_turns(sessions)
    progress("Timing precisions in turns", 1, 1)
    return [
        Contender(one, timed.speedup(names[0], name), timed.stats(name).median)
        for name, one in zip(names, choices, strict=True)
    ]


def _rank(choices: Sequence[RecipeChoice]) -> list[Contender]:
    """Return the contenders by rule: anything but float32 counts as faster."""
    return [Contender(one, 1.0 if index == 0 else float("inf")) for index, one in enumerate(choices)]


def _judge(contender: Contender, gate: AccuracyGate, bench: CandidateBench) -> Contender:
    result = gate.search(contender.choice)
    judged = replace(contender, gate=result)
    if not result.kept or contender.latency_ms is None:
        return judged
    speedup = speedup_of(result.recipe, None, bench)
    return replace(judged, speedup=speedup, latency_ms=contender.latency_ms * contender.speedup / speedup)


def _verdict(one: Contender, winner: Contender) -> str:
    if one is winner:
        return CHOSEN
    is_too_slow = one.precision is not Precision.FP32 and one.speedup < WORTH
    return _NOT_WORTH if is_too_slow else _SLOWER


def _describe(one: Contender, verdict: str) -> PrecisionCandidate:
    is_timed = one.latency_ms is not None
    return PrecisionCandidate(
        precision=one.precision,
        verdict=verdict,
        latency_ms=None if one.latency_ms is None else round(one.latency_ms, 3),
        speedup_over_fp32=round(one.speedup, 3) if is_timed else None,
        lost_points=None if one.gate is None else round(one.gate.outcome.lost_points, 4),
    )


def _explain(winner: Contender, options: GateOptions, bench: CandidateBench) -> str:
    allowed = f"at most {options.points:g} points on {options.data}"
    if winner.precision is Precision.FP32:
        return f"exact; nothing that is faster here loses {allowed}."
    if not bench.is_own_target:
        return f"loses {allowed}, judged on the CPU; as a rule the fastest on such a GPU, where nothing was timed."
    return f"the fastest that loses {allowed}."
