"""The search on candidates with known latencies and losses: better than every preset, repeatable, interruptible."""

from __future__ import annotations

from pathlib import Path

import pytest

from segpp_deploy.config import Preset
from segpp_deploy.tuning.search import search as search_module
from segpp_deploy.tuning.search.cost_model import CostModel
from segpp_deploy.tuning.search.options import Goal, LatencyGoal, LossGoal
from segpp_deploy.tuning.search.space import SearchSpace
from tests.support.requirements import needs
from tests.tuning.search.fakes import EXACT, HALF, ORIGINAL, FakeBench, FakeJudge, FakeSearch, true_loss, true_ms

pytestmark = needs("optuna")
TRIALS = 16


@pytest.fixture(autouse=True)
def small_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most proposals of most tests are of no interest."""
    monkeypatch.setattr(search_module, "POOL", 4)


def presets_of(search: FakeSearch):
    space = search.tools.space
    return [space.candidate(space.params(preset, engine)) for preset in Preset for engine in space.engines]


@pytest.mark.parametrize("goal", [LossGoal(0.2), LatencyGoal(0.41 * true_ms(ORIGINAL))], ids=str)
def test_it_finds_what_is_better_than_every_preset(goal: Goal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "POOL", 12)
    search = FakeSearch(goal, tmp_path / "trials.json").run(26)
    best = search.search.best
    assert best is not None
    found = true_ms(best.candidate), true_loss(best.candidate)
    assert goal.is_met(*found)
    assert best.candidate.plan.name.startswith("tuned-")
    rivals = [(true_ms(one), true_loss(one)) for one in presets_of(search)]
    assert goal.merit(*found) < min(goal.merit(*rival) for rival in rivals if goal.is_met(*rival))


def test_the_presets_to_beat_are_tried_on_the_fastest_engine_and_the_baseline_costs_nothing(tmp_path: Path) -> None:
    search = FakeSearch(LossGoal(0.2), tmp_path / "trials.json").run(TRIALS)
    tried = [(one.candidate.plan.name, one.candidate.engine) for one in search.store.trials[1:3]]
    assert tried == [("fast", HALF), ("fast-plus", HALF)]
    assert ORIGINAL not in search.bench.opened
    baseline = search.store.trials[0]
    assert (baseline.candidate, baseline.speedup, baseline.loss) == (ORIGINAL, 1, 0)
    assert search.bench.now_open == 0


def test_what_cannot_win_costs_little(tmp_path: Path) -> None:
    search = FakeSearch(LossGoal(0.2), tmp_path / "trials.json").run(TRIALS)
    complete = search.tools.complete()
    cut_short = [one for one in search.store.trials if one.losses and one not in complete]
    assert cut_short
    assert all(one.loss > 0.2 for one in cut_short)
    slow = [one for one in search.store.trials if one.candidate.engine == EXACT and one.proposal >= 0]
    assert len(slow) < TRIALS / 4, "bf16 is twice as fast and loses little: the model lets little else through"


def test_the_exact_engine_is_used_where_the_other_loses_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_module, "POOL", 12)
    search = FakeSearch(LossGoal(0.045), tmp_path / "trials.json").run(26)
    assert search.search.best is not None
    assert search.search.best.candidate.engine == EXACT
    assert search.search.best.speedup > 1


def test_the_same_seed_tries_the_same_another_seed_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SearchSpace, "beginnings", lambda _space: iter(()))
    one, same, other = (
        FakeSearch(LossGoal(0.2), tmp_path / f"{name}.json", seed).run(8).tried()
        for name, seed in (("one", 7), ("same", 7), ("other", 8))
    )
    assert one == same
    assert one != other


@pytest.mark.parametrize("after", [3, 13])
def test_a_search_that_was_interrupted_goes_on_as_if_nothing_had_been(after: int, tmp_path: Path) -> None:
    goal = LossGoal(0.2)
    whole = FakeSearch(goal, tmp_path / "whole.json").run(20)
    first = FakeSearch(goal, tmp_path / "parts.json", judge=FakeJudge(interrupt_after=after))
    with pytest.raises(KeyboardInterrupt):
        first.run(20)
    assert first.bench.now_open == 0
    assert first.search.best is not None
    second = FakeSearch(goal, tmp_path / "parts.json", resume=True).run(20)
    assert second.tried() == whole.tried()
    assert len(second.judge.judged) < len(whole.judge.judged)


def test_what_cannot_be_made_is_passed_over(tmp_path: Path) -> None:
    bench = FakeBench(broken=lambda candidate: candidate.plan.name in ("fast", "fast-plus"))
    search = FakeSearch(LossGoal(0.2), tmp_path / "trials.json", bench=bench).run(TRIALS)
    errors = [one.error for one in search.store.trials if one.error]
    assert len(errors) == 2
    assert "cannot be compiled" in errors[0]
    assert search.search.best is not None


def test_the_search_ends_where_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "PATIENCE", 5)
    monkeypatch.setattr(CostModel, "predict_ms", lambda *_: 1e9)
    search = FakeSearch(LossGoal(0.2), tmp_path / "trials.json").run(10_000)
    assert search.search.is_exhausted
    assert all(one.proposal == -1 for one in search.store.trials)


def test_while_nothing_is_fast_enough_the_fastest_is_best(tmp_path: Path) -> None:
    search = FakeSearch(LatencyGoal(1e-6), tmp_path / "trials.json").run(12)
    best = search.search.best
    assert best is not None
    assert best.speedup == max(one.speedup for one in search.tools.complete())


def test_a_lucky_measurement_of_the_best_does_not_stay(tmp_path: Path) -> None:
    search = FakeSearch(LossGoal(0.5), tmp_path / "trials.json")
    speedups = search.tools.clock.speedups
    luck = iter([3.0])

    def lucky(opened, seconds):
        return {one: value * next(luck, 1.0) for one, value in speedups(opened, seconds).items()}

    object.__setattr__(search.tools.clock, "speedups", lucky)
    search.run(6)
    first = next(one for one in search.store.trials if one.speedups and one.candidate != ORIGINAL)
    assert len(first.speedups) > 1
    assert first.speedup == pytest.approx(true_ms(ORIGINAL) / true_ms(first.candidate))
