"""The end of a search: who loses too much on held-out pictures gives way to the next; nothing to choose is an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.progress import no_progress
from segpp_deploy.tuning.search.candidate import Candidate
from segpp_deploy.tuning.search.finals import Finals
from segpp_deploy.tuning.search.options import LatencyGoal, LossGoal
from segpp_deploy.tuning.search.trial import Trial
from tests.tuning.search.fakes import ORIGINAL, FakeSearch, true_ms
from tests.tuning.search.test_loss_model import EARLY, LATE, of

LIMIT = LossGoal(0.5)


@dataclass
class HeldOut:
    """Loses so many points on held-out pictures, by the plan's name."""

    losses: dict[str, float]

    def judge(self, candidate: Candidate, _may_win: Callable[[float], bool]) -> tuple[tuple[float, ...], float]:
        return (self.losses[candidate.plan.name],), 1.0


def finals(path: Path, goal: LossGoal | LatencyGoal = LIMIT) -> tuple[FakeSearch, Finals]:
    search = FakeSearch(goal, path / "trials.json")
    for candidate, speedup, loss in ((ORIGINAL, 1.0, 0.0), (of(EARLY), 1.5, 0.1), (of(LATE), 2.0, 0.4)):
        search.store.add(Trial(candidate, speedups=(speedup,), losses=(loss, loss)))
    search.bench.opened.clear()
    return search, Finals(search.tools, goal, no_progress)


def test_the_first_that_holds_on_held_out_pictures_is_chosen(tmp_path: Path) -> None:
    search, ending = finals(tmp_path)
    choice = ending.choose(lambda: HeldOut({"late": 0.6, "early": 0.3}))  # type: ignore[arg-type,return-value]
    assert (choice.trial.candidate.plan.name, choice.rejected, choice.meets_goal) == ("early", 1, True)
    assert [one.confirmed_loss for one in search.store.trials] == [None, 0.3, 0.6]


def test_the_original_is_left_where_all_lose_too_much(tmp_path: Path) -> None:
    _, ending = finals(tmp_path)
    choice = ending.choose(lambda: HeldOut({"late": 0.6, "early": 0.6}))  # type: ignore[arg-type,return-value]
    assert (choice.trial.candidate, choice.trial.confirmed_loss, choice.rejected) == (ORIGINAL, 0.0, 2)


def test_unasked_pictures_confirm_nothing(tmp_path: Path) -> None:
    search, ending = finals(tmp_path)
    choice = ending.choose(None)
    assert choice.trial.candidate.plan.name == "late"
    assert choice.trial.confirmed_loss is None
    assert search.bench.opened == []


def test_a_latency_is_no_matter_of_pictures(tmp_path: Path) -> None:
    _, ending = finals(tmp_path, LatencyGoal(0.7 * true_ms(ORIGINAL)))
    choice = ending.choose(lambda: HeldOut({"early": 3.0}))  # type: ignore[arg-type,return-value]
    assert (choice.trial.candidate.plan.name, choice.trial.confirmed_loss, choice.meets_goal) == ("early", 3.0, True)


def test_the_last_measurement_counts_alone(tmp_path: Path) -> None:
    search, ending = finals(tmp_path)
    ending.time_again()
    early = next(one for one in search.store.trials if one.candidate.plan.name == "early")
    assert early.speedups == (pytest.approx(true_ms(ORIGINAL) / true_ms(early.candidate)),)
    assert search.bench.now_open == 0


def test_nothing_to_choose_from_is_told_with_the_reason(tmp_path: Path) -> None:
    search = FakeSearch(LIMIT, tmp_path / "trials.json")
    search.store.add(Trial(of(EARLY), error="It cannot be compiled."))
    with pytest.raises(SegppError, match=r"No candidate could be tried to the end: It cannot be compiled"):
        Finals(search.tools, LIMIT, no_progress).choose(None)
