"""What is chosen: what meets the goal, the simplest of equals; and the Pareto front."""

from __future__ import annotations

from segpp_deploy.config import Preset, Size
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.search.candidate import Candidate, EngineKind
from segpp_deploy.tuning.search.choice import best_of, in_order_of_choice, pareto_front
from segpp_deploy.tuning.search.options import LatencyGoal, LossGoal
from segpp_deploy.tuning.search.trial import Trial

SIZE = Size(512, 512)
BASELINE_MS = 100.0


def trial(preset: Preset, speedup: float, loss: float) -> Trial:
    return Trial(Candidate(PRESETS[preset], SIZE, EngineKind(TargetName.CPU)), speedups=(speedup,), losses=(loss,))


ORIGINAL, HQ, FAST = trial(Preset.ORIGINAL, 1, 0), trial(Preset.HQ, 1.5, 0.1), trial(Preset.FAST, 2, 0.5)
POOLED = trial(Preset.POOL_2X2, 1.4, 0.3)


def names(trials: list[Trial]) -> list[str]:
    return [one.candidate.plan.name for one in trials]


def test_the_fastest_that_loses_little_or_the_most_accurate_that_is_fast() -> None:
    trials = [ORIGINAL, HQ, FAST, POOLED]
    assert best_of(trials, LossGoal(0.2), BASELINE_MS) == HQ
    assert best_of(trials, LossGoal(0.6), BASELINE_MS) == FAST
    assert best_of(trials, LatencyGoal(70), BASELINE_MS) == HQ
    assert best_of(trials, LatencyGoal(1), BASELINE_MS) == FAST
    assert best_of([], LossGoal(1), BASELINE_MS) is None
    assert names(list(in_order_of_choice(trials, LossGoal(0.4), BASELINE_MS, SIZE))) == ["hq", "2x2", "original"]
    assert list(in_order_of_choice(trials, LatencyGoal(1), BASELINE_MS, SIZE)) == []


def test_merging_that_gains_nothing_but_noise_gives_way_to_the_plain_network() -> None:
    lucky = trial(Preset.FAST, 1.015, 0.0)
    assert names(list(in_order_of_choice([lucky, ORIGINAL], LossGoal(0.2), BASELINE_MS, SIZE))) == ["original", "fast"]
    gained = trial(Preset.FAST, 1.05, 0.0)
    assert next(in_order_of_choice([gained, ORIGINAL], LossGoal(0.2), BASELINE_MS, SIZE)) == gained
    equal = trial(Preset.FAST, 3, 0.01)
    assert next(in_order_of_choice([equal, ORIGINAL], LatencyGoal(200), BASELINE_MS, SIZE)) == ORIGINAL


def test_the_front_holds_what_nothing_beats() -> None:
    assert names(pareto_front([ORIGINAL, POOLED, FAST, HQ])) == ["fast", "hq", "original"]
    assert pareto_front([]) == []


def test_a_trial_comes_back_from_its_file_as_it_was() -> None:
    full = Trial(FAST.candidate, 3, {"input": "512x512"}, 12.5, (1.5, 2.0), (0.4, 0.5), 0.99, 0.6, "r.yaml", "why")
    assert Trial.from_dict(full.to_dict(), "trials.json") == full
    assert Trial.from_dict(ORIGINAL.to_dict(), "trials.json") == ORIGINAL
    assert full.timed_again(4.0).speedup == 2.0
