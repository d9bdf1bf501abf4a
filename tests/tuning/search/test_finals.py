"""The end of a search: who loses too much on held-out pictures gives way to the next; nothing to choose is an error."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from segpp_deploy.config import Preset
from segpp_deploy.errors import SegppError
from segpp_deploy.model.plan import PRESETS
from segpp_deploy.progress import Progress, no_progress
from segpp_deploy.runtimes.names import TargetName
from segpp_deploy.tuning.calibration.options import CalibrationOptions
from segpp_deploy.tuning.search import finals as finals_module
from segpp_deploy.tuning.search.candidate import Candidate
from segpp_deploy.tuning.search.finals import Finals, seconds_for_finals
from segpp_deploy.tuning.search.limits import Limits
from segpp_deploy.tuning.search.options import LatencyGoal, LossGoal
from segpp_deploy.tuning.search.trial import Trial
from tests.tuning.search.fakes import EXACT, ORIGINAL, SIZE, FakeBench, FakeJudge, FakeSearch, FakeTime, true_ms
from tests.tuning.search.test_loss_model import EARLY, LATE, of

LIMIT = LossGoal(0.5)


@dataclass
class HeldOut:
    """Loses so many points on held-out pictures, by the plan's name."""

    losses: dict[str, float]
    time: FakeTime = field(default_factory=FakeTime)
    seconds_per_picture: float = 0.2
    rungs: tuple[int, ...] = (100,)

    def judge(self, candidate: Candidate, _may_win: Callable[[float], bool]) -> tuple[tuple[float, ...], float]:
        self.time.work(self.rungs[-1] * self.seconds_per_picture)
        return (self.losses[candidate.plan.name],), 1.0


def finals(
    path: Path, goal: LossGoal | LatencyGoal = LIMIT, seconds: float = 1e5, margin: float = 0.0
) -> tuple[FakeSearch, Finals]:
    search = FakeSearch(goal, path / "trials.json", judge=FakeJudge(margin=margin))
    for candidate, speedup, loss in ((ORIGINAL, 1.0, 0.0), (of(EARLY), 1.5, 0.1), (of(LATE), 2.0, 0.4)):
        search.store.add(Trial(candidate, speedups=(speedup,), losses=(loss, loss)))
    search.bench.opened.clear()
    return search, Finals(search.tools, goal, Limits.begin(seconds, now=search.time), no_progress)


def test_the_first_that_holds_on_held_out_pictures_is_chosen(tmp_path: Path) -> None:
    search, ending = finals(tmp_path)
    choice = ending.choose(lambda _seconds: HeldOut({"late": 0.6, "early": 0.3}))  # type: ignore[arg-type,return-value]
    assert (choice.trial.candidate.plan.name, choice.rejected, choice.meets_goal) == ("early", 1, True)
    assert [one.confirmed_loss for one in search.store.trials] == [None, 0.3, 0.6]


def test_the_original_is_left_where_all_lose_too_much(tmp_path: Path) -> None:
    _, ending = finals(tmp_path)
    choice = ending.choose(lambda _seconds: HeldOut({"late": 0.6, "early": 0.6}))  # type: ignore[arg-type,return-value]
    assert (choice.trial.candidate, choice.trial.confirmed_loss, choice.rejected) == (ORIGINAL, 0.0, 2)


def test_unasked_pictures_confirm_nothing(tmp_path: Path) -> None:
    search, ending = finals(tmp_path)
    choice = ending.choose(None)
    assert choice.trial.candidate.plan.name == "late"
    assert choice.trial.confirmed_loss is None
    assert search.bench.opened == []


def test_a_latency_is_no_matter_of_pictures(tmp_path: Path) -> None:
    _, ending = finals(tmp_path, LatencyGoal(0.7 * true_ms(ORIGINAL)))
    choice = ending.choose(lambda _seconds: HeldOut({"early": 3.0}))  # type: ignore[arg-type,return-value]
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
        Finals(search.tools, LIMIT, Limits.begin(60), no_progress).choose(None)


def test_what_other_pictures_may_find_better_is_asked_too(tmp_path: Path) -> None:
    """Judged too bad by less than the margin, and the fastest: the held-out pictures accept it."""
    search, ending = finals(tmp_path, LossGoal(0.3), margin=0.25)
    choice = ending.choose(lambda _seconds: HeldOut({"late": 0.2, "early": 0.0}))  # type: ignore[arg-type,return-value]
    assert (choice.trial.candidate.plan.name, choice.meets_goal, choice.rejected) == ("late", True, 0)
    assert search.bench.opened == [of(EARLY), of(LATE)], "what meets the goal is confirmed first"


def test_the_presets_to_beat_are_timed_with_the_best(tmp_path: Path) -> None:
    search, ending = finals(tmp_path)
    fast = Candidate(PRESETS[Preset.FAST], SIZE, EXACT)
    search.store.add(Trial(fast, speedups=(9.0,), losses=(3.0,)))
    ending.time_again()
    assert set(search.bench.opened) == {of(EARLY), of(LATE), fast}
    assert search.store.trials[-1].speedup == pytest.approx(true_ms(ORIGINAL) / true_ms(fast))


@pytest.mark.parametrize(
    ("seconds", "name", "confirmed_loss", "unasked"),
    [(200, "late", 0.1, 0), (36, "early", 0.3, 1), (20, "early", None, 1)],
)
def test_the_time_is_kept_and_what_was_not_confirmed_is_told(
    seconds: float, name: str, confirmed_loss: float | None, unasked: int, tmp_path: Path
) -> None:
    search, ending = finals(tmp_path, LossGoal(0.3), seconds, margin=0.25)
    held_out = HeldOut({"late": 0.1, "early": 0.3}, search.time)
    choice = ending.choose(lambda _seconds: held_out)  # type: ignore[arg-type,return-value]
    assert (choice.trial.candidate.plan.name, choice.trial.confirmed_loss) == (name, confirmed_loss)
    assert choice.unasked == unasked
    assert search.time.seconds - 100 <= seconds


def test_no_time_for_held_out_pictures_is_told(tmp_path: Path) -> None:
    _, ending = finals(tmp_path)
    choice = ending.choose(lambda _seconds: None)
    assert (choice.trial.candidate.plan.name, choice.trial.confirmed_loss, choice.unasked) == ("late", None, 1)


@pytest.mark.parametrize("seconds", [120.0, 400.0, 1200.0])
def test_search_and_finals_together_keep_the_time(seconds: float, tmp_path: Path) -> None:
    goal = LossGoal(0.2)
    bench = FakeBench(first_opening_seconds=30.0)
    search = FakeSearch(goal, tmp_path / "trials.json", bench=bench, judge=FakeJudge(margin=0.25))
    limits = Limits.begin(seconds, now=search.time)
    kept = seconds_for_finals(limits, confirmation_seconds=20.0)
    search.search.run(replace(limits, kept_seconds=kept))
    ending = Finals(search.tools, goal, limits, no_progress)
    ending.time_again()
    held_out = HeldOut(defaultdict(lambda: 0.3), search.time)  # nothing holds: every contender is asked
    choice = ending.choose(lambda _seconds: held_out)  # type: ignore[arg-type,return-value]
    assert choice.trial.candidate == ORIGINAL or choice.unasked
    assert 0.5 * seconds < search.time.seconds - 100 <= seconds


def test_int8_is_given_up_when_its_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search, ending = finals(tmp_path)

    def calibrate(_graph: object, _options: object, progress: Progress) -> None:
        for done in range(100):
            search.time.work(4.0)
            progress("Counting values", done, 100)

    monkeypatch.setattr(finals_module, "calibrate_graph", calibrate)
    monkeypatch.setattr(search.bench, "bench", lambda _candidate: None, raising=False)
    monkeypatch.setattr(search.bench, "graph", lambda _candidate: None, raising=False)
    ending.try_int8(search.store.trials[1], [TargetName.CPU], CalibrationOptions("scenes:2"), tmp_path, seconds=30)
    assert search.store.trials[-1].error == "There was no time for it."
    assert search.time.seconds - 100 < 30 + 2 * 4
