"""Where int8 pays on this machine: kinds of layers that run faster unquantised are left in the higher precision."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from segpp_deploy.evaluation.latency import InterleavedLatency, measure_interleaved
from segpp_deploy.graph.contract import noise_images
from segpp_deploy.graph.precision.layers import Layer, LayerKind
from segpp_deploy.graph.precision.recipe import PrecisionRecipe
from segpp_deploy.progress import Progress
from segpp_deploy.runtimes.session import Session
from segpp_deploy.tuning.candidates import CandidateBench

ROUNDS = 7
WARMUP = 2
MOST_AT_ONCE = 6
BYTES_AT_ONCE = 1 << 30
"""So many engines, of graphs of so many bytes, are loaded beside the one they are compared with."""

WORTH = 1.02
"""A kind is left out only if that makes the engine at least 2 % faster: less is noise."""

_STEP = "Measuring where int8 pays"


@dataclass(frozen=True)
class KindCost:
    """A kind of layers, how many times faster the engine is without its quantisation, and whether it was left out."""

    kind: LayerKind
    speedup_without: float
    left_out: bool = False


def measure_kinds(
    layers: Sequence[Layer], recipe: PrecisionRecipe, bench: CandidateBench, progress: Progress
) -> tuple[KindCost, ...]:
    """Take each kind of layers out of the recipe in turn and return the kinds, the costliest first.

    A few engines are loaded at a time and take turns, so that a machine that slows down slows all of them.
    """
    members = _quantized_by_kind(layers, recipe)
    at_once = min(MOST_AT_ONCE, max(1, BYTES_AT_ONCE // bench.graph_bytes))
    costs: list[KindCost] = []
    every_kind = list(members)
    with bench.open(recipe) as everything:
        for start in range(0, len(every_kind), at_once):
            kinds = every_kind[start : start + at_once]
            progress(_STEP, start, len(members))
            with ExitStack() as opened:
                without = [opened.enter_context(bench.open(recipe.without(members[kind]))) for kind in kinds]
                costs += map(KindCost, kinds, compare_speeds(everything, without))
    progress(_STEP, len(members), len(members))
    return tuple(sorted(costs, key=lambda cost: -cost.speedup_without))


def leave_out_slower(
    layers: Sequence[Layer], recipe: PrecisionRecipe, costs: Sequence[KindCost], bench: CandidateBench
) -> tuple[PrecisionRecipe, tuple[KindCost, ...]]:
    """Return the recipe without the kinds that are worth leaving out, and the costs with those marked.

    A kind may be slow alone and not so once its neighbours are in float32 too, where no conversions lie between them:
    each but the first is measured again beside what the earlier ones left.
    """
    members = _quantized_by_kind(layers, recipe)
    decided: list[KindCost] = []
    for cost in costs:
        speedup = cost.speedup_without
        without = recipe.without(members[cost.kind])
        if speedup >= WORTH and any(one.left_out for one in decided):
            speedup = speedup_of(without, recipe, bench)
        left_out = speedup >= WORTH
        decided.append(replace(cost, speedup_without=speedup, left_out=left_out))
        recipe = without if left_out else recipe
    return recipe, tuple(decided)


def speedup_of(recipe: PrecisionRecipe, over: PrecisionRecipe | None, bench: CandidateBench) -> float:
    """Return how many times faster a graph is under `recipe` than under `over` (None: float32), side by side."""
    with ExitStack() as opened:
        slow, fast = opened.enter_context(bench.open(over)), opened.enter_context(bench.open(recipe))
        return compare_speed(slow, fast)


def _quantized_by_kind(layers: Sequence[Layer], recipe: PrecisionRecipe) -> dict[LayerKind, frozenset[str]]:
    members: dict[LayerKind, set[str]] = defaultdict(set)
    for layer in layers:
        if layer.name in recipe.layers:
            members[layer.kind].add(layer.name)
    return {kind: frozenset(names) for kind, names in members.items()}


def compare_speed(baseline: Session, other: Session) -> float:
    """Return how many times faster `other` is than `baseline`: the median ratio of calls that take turns."""
    return compare_speeds(baseline, [other])[0]


def compare_speeds(baseline: Session, others: Sequence[Session]) -> list[float]:
    """Return how many times faster each of `others` is than `baseline`; all of them take turns."""
    measured = time_in_turns({str(index): session for index, session in enumerate([baseline, *others])})
    return [measured.speedup("0", str(index)) for index in range(1, len(others) + 1)]


def time_in_turns(sessions: Mapping[str, Session]) -> InterleavedLatency:
    """Time sessions of one graph's contract on noise, in turns."""
    images = noise_images(next(iter(sessions.values())).metadata)
    runs = {name: partial(session.run, images) for name, session in sessions.items()}
    return measure_interleaved(runs, rounds=ROUNDS, warmup=WARMUP)
