"""The state of a search: kept whole, taken up only by who asks for it and asks the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from segpp_deploy.errors import SegppError
from segpp_deploy.tuning.search.store import TrialStore
from tests.tuning.search.test_choice import FAST, HQ

QUESTION = {"data": "scenes", "images": 4}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    store = TrialStore(tmp_path / "trials.json", resume=False)
    store.ask(QUESTION)
    store.add(HQ)
    store.add(FAST)
    store.replace(HQ, HQ.timed_again(3.0))
    return tmp_path / "trials.json"


def test_trials_are_there_after_a_pause(path: Path) -> None:
    store = TrialStore(path, resume=True)
    store.ask(QUESTION)
    assert store.trials == [HQ.timed_again(3.0), FAST]
    assert store.question == QUESTION


def test_another_search_is_not_written_over(path: Path) -> None:
    with pytest.raises(SegppError, match="holds the trials of an earlier search") as caught:
        TrialStore(path, resume=False)
    assert "--resume" in caught.value.fix


def test_another_question_is_not_answered(path: Path) -> None:
    with pytest.raises(SegppError, match="answer another question: images differ"):
        TrialStore(path, resume=True).ask({"data": "scenes", "images": 5})


def test_resuming_nothing_begins_anew(tmp_path: Path) -> None:
    assert TrialStore(tmp_path / "none.json", resume=True).trials == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-40],
        lambda text: text.replace('"schema_version": 1', '"schema_version": 9'),
        lambda text: text.replace('"bsm"', '"bms"'),
        lambda text: text.replace('"speedups"', '"speeds"'),
        lambda text: "[]",
        lambda text: '{"schema_version": 1, "question": 3, "trials": []}',
    ],
)
def test_a_damaged_state_is_told(path: Path, damage) -> None:
    path.write_text(damage(path.read_text()))
    with pytest.raises(SegppError, match=r"trials\.json is no state of a search"):
        TrialStore(path, resume=True)
